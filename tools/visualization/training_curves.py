r"""Draw training curves: losses, learning rate and validation.

Works for pretraining and fine-tuning; several work dirs share a picture.

Examples:
    python tools/visualization/training_curves.py work_dirs/demo
    python tools/visualization/training_curves.py work_dirs/demo/finetune \
        work_dirs/demo/scratch --out curves.png
"""

import argparse
import sys

from uniemox_mm.utils.figures import save_figure
from uniemox_mm.utils.short_names import short_names
from uniemox_mm.visualization.training_curves import (
    draw_training_curves,
    read_training_log,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('work_dirs', nargs='+', help='of tools/train.py')
    parser.add_argument(
        '--out',
        default='training_curves.png',
        help='the picture (%(default)s)',
    )
    args = parser.parse_args()
    names = short_names(args.work_dirs)
    try:
        logs = {
            name: read_training_log(path)
            for name, path in zip(names, args.work_dirs, strict=True)
        }
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    save_figure(args.out, draw_training_curves(logs))
    print(f'Training curves: {args.out}')


if __name__ == '__main__':
    main()
