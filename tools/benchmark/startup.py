r"""Measures a training's start: seconds to the first step, and memory.

Writes a prepared data set with as many rows as EmoSet, which refer to a few
drawn images, and starts trainings on it, with a small model or that of a
config. Prints tables in Markdown. Linux only.

Examples (the first takes about 3 minutes on 2 cores):
    python tools/benchmark/startup.py --out work_dirs/startup
    python tools/benchmark/startup.py configs/uniemox_vit-l_pretrain.py \
        --out work_dirs/startup_vit-l
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from startup_speed import markdown, measure_startup

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
        default=ROOT / 'configs/uniemox_vit-tiny_demo.py',
        help='of a pretraining on EmoSet (the small one of the demo)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='folder for rows, text features, startup.json and startup.md',
    )
    for name, number, text in (
        ('rows', 118_000, 'of train and val together'),
        ('workers', 4, 'data workers'),
        ('rounds', 3, 'trainings, after one that does not count'),
        ('steps', 10, 'of each training, before memory is read'),
    ):
        parser.add_argument(
            f'--{name}', type=int, default=number, help=f'{text} (%(default)s)'
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
    logging.disable(logging.INFO)  # MMEngine tells of each file that reads it
    try:
        result = measure_startup(
            ROOT / 'tools/train.py',
            args.config,
            args.out,
            args.rows,
            args.workers,
            args.rounds,
            args.steps,
            args.cfg_options,
        )
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(str(error))
    text = markdown(result)
    print(text)
    with atomic_file(args.out / 'startup.json') as file:
        json.dump(result, file, indent=1)
    with atomic_file(args.out / 'startup.md') as file:
        file.write(text)


if __name__ == '__main__':
    main()
