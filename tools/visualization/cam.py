r"""Shows where classifiers look: Grad-CAM over images.

One row an image, one column a classifier, with the class it predicts and its
score. Images are made ready as the classifier's config says. Works for vision
transformers and for convolutional networks of MMPretrain.

Examples:
    python tools/visualization/cam.py photos/*.jpg \
        --checkpoint work_dirs/demo/finetune work_dirs/demo/scratch
    python tools/visualization/cam.py beach.jpg --checkpoint work_dirs/fi \
        --target awe --layer backbone.layers.20.ln1
"""

import argparse
import sys
from pathlib import Path

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.utils.figures import save_figure
from uniemox_mm.visualization.cam_sheet import draw_activation_maps
from uniemox_mm.visualization.checkpoints import (
    add_checkpoints,
    name_checkpoints,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('images', nargs='+', help='images or folders of them')
    add_checkpoints(parser, 'classifiers: ')
    parser.add_argument('--dataset', help='for configs for any dataset')
    parser.add_argument('--target', help='class to look for (the predicted)')
    parser.add_argument(
        '--layer', help='where to look, as the model names it (a late one)'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('cam.png'),
        help='the picture (%(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        checkpoints = name_checkpoints(
            args.checkpoint, args.config, args.names, dataset=args.dataset
        )
        sheet = draw_activation_maps(
            checkpoints, args.images, args.target, args.layer
        )
    except (OSError, ValueError, ImportError) as error:
        sys.exit(str(error))
    save_figure(args.out, sheet)
    print(f'Activation maps: {args.out}')


if __name__ == '__main__':
    main()
