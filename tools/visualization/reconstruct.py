r"""Draw reconstructions of masked images by pretrained models.

One row per image: original, masked, reconstruction, and the reconstruction
pasted between the visible patches. Several checkpoints get the same masks and
are shown side by side. Images are given, or come from the config's dataset.
Works for UniEmoX and for MMPretrain's MAE.

Examples:
    python tools/visualization/reconstruct.py --checkpoint work_dirs/demo
    python tools/visualization/reconstruct.py --images *.jpg \
        --checkpoint work_dirs/demo/epoch_4.pth work_dirs/demo/epoch_16.pth
    python tools/visualization/reconstruct.py --checkpoint mae.pth \
        --config mae_config.py --images beach.jpg --mask-ratio 0.9
"""

import argparse
import sys

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.apis.name_checkpoints import add_checkpoints, name_checkpoints
from uniemox_mm.utils.figures import save_figure
from uniemox_mm.visualization.reconstructions import (
    check_comparable,
    choose_paths,
    draw_reconstructions,
    list_paths,
    reconstruct_images,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_checkpoints(parser)
    parser.add_argument(
        '--images',
        nargs='+',
        default=[],
        help="images or folders of them (some of the config's dataset)",
    )
    parser.add_argument(
        '--split', default='test', help='without --images (%(default)s)'
    )
    parser.add_argument(
        '--num', type=int, default=8, help='without --images (%(default)s)'
    )
    parser.add_argument('--data-root', help="instead of the config's")
    parser.add_argument(
        '--mask-ratio',
        type=float,
        help="ratio of hidden patches (the model's own)",
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the masks (%(default)s)'
    )
    parser.add_argument(
        '--out',
        default='reconstructions.png',
        help='the picture (%(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        if args.num < 1:
            raise ValueError(f'--num {args.num}: expected at least 1')
        checkpoints = name_checkpoints(
            args.checkpoint, args.config, args.names, args.data_root
        )
        paths = list_paths(args.images)
        models = {
            checkpoint.name: load_model(checkpoint.path, checkpoint.config)
            for checkpoint in checkpoints
        }
        check_comparable(models)
        paths = paths or choose_paths(
            checkpoints[0].config, args.split, args.num
        )
        found = reconstruct_images(models, paths, args.mask_ratio, args.seed)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    save_figure(args.out, draw_reconstructions(found))
    print(f'Reconstructions: {args.out}')


if __name__ == '__main__':
    main()
