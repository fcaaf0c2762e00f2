r"""Draw samples of pretraining as the model gets them.

For each sample: the image with the boxes of all people (yellow) and the crop
around the chosen one (red), the scene view and the person view as the config's
pipeline makes them, the label and the caption.

Examples:
    python tools/visualization/browse_pairs.py \
        configs/uniemox_vit-l_pretrain.py --out pairs.png
    python tools/visualization/browse_pairs.py CONFIG --num 6 --cfg-options \
        train_dataloader.dataset.data_root=data/EmoSet-prepared
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.utils.figures import save_figure
from uniemox_mm.visualization.pairs import draw_pairs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='of pretraining')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/pairs.png'),
        help='the picture to write (%(default)s)',
    )
    parser.add_argument(
        '--num',
        type=int,
        default=16,
        help='number of samples, chosen at random (%(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the choice and the pipeline (%(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
        help='overrides of the config',
    )
    args = parser.parse_args()
    if args.num < 1 or args.out.suffix not in ('.png', '.jpg'):
        sys.exit('--num must be at least 1, and --out a .png or .jpg')
    try:
        browse(args)
    except (OSError, ValueError, TypeError) as error:
        sys.exit(str(error))


def browse(args: argparse.Namespace) -> None:
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    rng = np.random.default_rng(args.seed)
    count = min(args.num, len(dataset))
    chosen = rng.choice(len(dataset), count, replace=False)
    save_figure(args.out, draw_pairs(dataset, chosen.tolist(), args.seed))
    print(
        f'{count} of {len(dataset)} samples of {dataset.data_root}: {args.out}'
    )


if __name__ == '__main__':
    main()
