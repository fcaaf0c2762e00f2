r"""Measures training steps, beside the authors' arrangement and a plain MAE.

All arrangements are built with the same weights in this process and take
turns, on images made of nothing, so only the machine is needed. Prints a
table in Markdown; --out writes it, and all numbers as JSON.

Examples:
    python tools/benchmark/train_step.py
    python tools/benchmark/train_step.py configs/uniemox_vit-l_pretrain.py \
        --arrangement ours reference --batch-size 64
    python tools/benchmark/train_step.py configs/finetune/vit-b_uniemox_fi.py \
        --arrangement ours --batch-size 16
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.logging import MMLogger
from tqdm import tqdm

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.apis.step_speed import ARRANGEMENTS, markdown, measure_steps
from uniemox_mm.atomic_files import atomic_file
from uniemox_mm.engine.reading_configs import read_config


def parse_args() -> argparse.Namespace:
    on_gpu = torch.cuda.is_available()
    names = '\n'.join(f'{k}: {v}' for k, v in ARRANGEMENTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'config',
        nargs='?',
        default=f'configs/uniemox_vit-{"l" if on_gpu else "b"}_pretrain.py',
        help='training config (ViT-L on a GPU, ViT-B on a CPU)',
    )
    parser.add_argument(
        '--arrangement',
        nargs='+',
        choices=ARRANGEMENTS,
        default=[n for n in ARRANGEMENTS if on_gpu or n != 'compiled'],
        metavar='NAME',
        help=f'what to compare, all by default:\n{names}',
    )
    parser.add_argument('--batch-size', type=int, default=256 if on_gpu else 8)
    parser.add_argument('--rounds', type=int, default=8 if on_gpu else 7)
    parser.add_argument(
        '--steps', type=int, default=3 if on_gpu else 1, help='of a turn'
    )
    parser.add_argument(
        '--device', default='cuda' if on_gpu else 'cpu', help='cuda or cpu'
    )
    parser.add_argument(
        '--precision',
        choices=['float32'],
        help="instead of the config's, and of float16 in the reference",
    )
    parser.add_argument('--threads', type=int, help='of PyTorch on a CPU')
    parser.add_argument('--out', type=Path, help='folder for the results')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}
    )
    args = parser.parse_args()
    for name in ('batch_size', 'rounds', 'steps'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    return args


def main() -> None:
    args = parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')  # initial weights
    if args.threads:
        torch.set_num_threads(args.threads)
    started = time.perf_counter()
    say = partial(print, file=sys.stderr, flush=True)
    try:
        result = measure_steps(
            read_config(args.config, args.cfg_options),
            args.arrangement,
            args.batch_size,
            torch.device(args.device),
            args.rounds,
            args.steps,
            args.precision,
            progress=lambda rounds: tqdm(rounds, 'rounds', leave=False),
            log=say,
        )
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    text = markdown(result)
    print(text)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        with atomic_file(args.out / 'train_step.md') as file:
            file.write(text)
        with atomic_file(args.out / 'train_step.json') as file:
            json.dump(result, file, indent=1)
        say(f'Written to {args.out}')
    say(f'{time.perf_counter() - started:.0f} s in all')


if __name__ == '__main__':
    main()
