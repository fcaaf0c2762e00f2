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
from mmengine.logging import MMLogger
from step_speed import ARRANGEMENTS, markdown, measure_steps
from tqdm import tqdm

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.read_config import read_config
from uniemox_mm.utils.atomic_files import atomic_file


def parse_args() -> argparse.Namespace:
    names = '\n'.join(f'{k}: {v}' for k, v in ARRANGEMENTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'config',
        nargs='?',
        help='training config (ViT-L on a GPU, ViT-B on a CPU)',
    )
    parser.add_argument(
        '--arrangement',
        nargs='+',
        choices=ARRANGEMENTS,
        metavar='NAME',
        help='what to compare, all by default (not compiled on a CPU):\n'
        + names,
    )
    parser.add_argument(
        '--batch-size', type=int, help='256 on a GPU, 8 on a CPU'
    )
    parser.add_argument('--rounds', type=int, help='8 on a GPU, 7 on a CPU')
    parser.add_argument(
        '--steps', type=int, help='of a turn: 3 on a GPU, 1 on a CPU'
    )
    parser.add_argument('--device', help='cuda if there is one, or cpu')
    parser.add_argument(
        '--precision',
        choices=['float32'],
        help="instead of the config's, and of float16 in the reference",
    )
    parser.add_argument('--threads', type=int, help='of PyTorch on a CPU')
    parser.add_argument('--out', type=Path, help='folder for the results')
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, default={}
    )
    args = parser.parse_args()
    try:
        args.device = _device(args.device)
    except ValueError as error:
        parser.error(str(error))
    on_gpu = args.device.type != 'cpu'
    fitting = dict(
        config=f'configs/uniemox_vit-{"l" if on_gpu else "b"}_pretrain.py',
        arrangement=[n for n in ARRANGEMENTS if on_gpu or n != 'compiled'],
        batch_size=256 if on_gpu else 8,
        rounds=8 if on_gpu else 7,
        steps=3 if on_gpu else 1,
    )
    for name, value in fitting.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    for name in ('batch_size', 'rounds', 'steps', 'threads'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    return args


def _device(name: str | None) -> torch.device:
    name = name or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:  # torch's, by device
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'--device {name} cannot be used here: {reason}'
        ) from None
    return device


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
            args.device,
            args.rounds,
            args.steps,
            args.precision,
            progress=lambda rounds: tqdm(rounds, 'rounds', leave=False),
            log=say,
            save=partial(_save, args.out) if args.out else lambda result: None,
        )
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    print(markdown(result))
    if args.out:
        say(f'Written to {args.out}')
    say(f'{time.perf_counter() - started:.0f} s in all')


def _save(folder: Path, result: dict) -> None:
    """Writes what is known so far: minutes of measuring are not lost."""
    with atomic_file(folder / 'train_step.md') as file:
        file.write(markdown(result))
    with atomic_file(folder / 'train_step.json') as file:
        json.dump(result, file, indent=1)


if __name__ == '__main__':
    main()
