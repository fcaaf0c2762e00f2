r"""Measures how many images a second a training config's pipeline gives.

Raw JPEGs of 1024 pixels against the same images prepared, as files and as an
LMDB; several ways to decode; one view against two from one decode; where the
time goes; and the real data loader with 1, 2, ... workers. Draws its own
images, or takes some of a data set. Prints tables in Markdown.

Examples (the first takes about 3 minutes on 2 cores):
    python tools/benchmark/loader.py --out work_dirs/loader
    python tools/benchmark/loader.py configs/uniemox_vit-l_pretrain.py \
        --data-root data/EmoSet-118K --cfg-options \
        train_dataloader.dataset.persons=persons.json
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from loader_speed import markdown, measure_loader
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.utils.atomic_files import atomic_file

ROOT = Path(__file__).parents[2]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'config',
        nargs='?',
        default=ROOT / 'configs/uniemox_vit-b_pretrain.py',
        help='of a pretraining (ViT-B on EmoSet)',
    )
    parser.add_argument(
        '--data-root', help="of the config's data set (images are drawn)"
    )
    parser.add_argument('--images', type=int, default=64, help='(%(default)s)')
    parser.add_argument('--rounds', type=int, default=5, help='(%(default)s)')
    parser.add_argument(
        '--workers',
        type=int,
        nargs='+',
        help='numbers of them (1, 2, 4, ... up to the number of cores)',
    )
    parser.add_argument(
        '--short-side',
        type=int,
        default=320,
        help='of the prepared images, in pixels (%(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, help='folder for loader.json and loader.md'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        metavar='KEY=VALUE',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmpretrain'))
        # What each of many data sets says is of no interest.
        MMLogger.get_current_instance().setLevel(logging.ERROR)
        result = measure_loader(
            cfg,
            args.images,
            args.rounds,
            args.workers,
            args.data_root,
            args.short_side,
        )
    except (OSError, ValueError, TypeError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
    text = markdown(result)
    print(text)
    if args.out:
        with atomic_file(args.out / 'loader.json') as file:
            json.dump(result, file, indent=1)
        with atomic_file(args.out / 'loader.md') as file:
            file.write(text)


if __name__ == '__main__':
    main()
