r"""Measure training steps against the authors' implementation and a plain MAE.

All variants are built with the same weights in this process and take turns,
on random images, so no dataset is needed. Prints a table in Markdown; --out
writes it, and all numbers as JSON.

Examples:
    python tools/benchmark/train_step.py
    python tools/benchmark/train_step.py configs/uniemox_vit-l_pretrain.py \
        --variants ours reference --batch-size 64
    python tools/benchmark/train_step.py configs/finetune/vit-b_uniemox_fi.py \
        --variants ours --batch-size 16
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import step_probes as probes
import torch
from machine import describe_machine, machine_text, matmul_peak
from mmengine.config import Config
from mmengine.logging import MMLogger
from step_probes import quartiles
from step_variants import VARIANTS, Variant, build_variants, loss_differences
from tqdm import tqdm

import uniemox_mm  # noqa: F401  (registers the parts)
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.read_config import read_config
from uniemox_mm.models import EmoMAE
from uniemox_mm.utils.atomic_files import atomic_file

# Pairs whose times are compared round by round.
RATIOS = [
    *((name, 'ours') for name in VARIANTS if name != 'ours'),
    ('reference', 'cached'),
    ('scene', 'mae'),
]


def parse_args() -> argparse.Namespace:
    names = '\n'.join(f'{k}: {v}' for k, v in VARIANTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'config',
        nargs='?',
        help='training config (ViT-L on a GPU, ViT-B on a CPU)',
    )
    parser.add_argument(
        '--variants',
        nargs='+',
        choices=VARIANTS,
        metavar='NAME',
        help='what to compare, all by default (not compiled on a CPU):\n'
        + names,
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        help='images per step: 256 on a GPU, 8 on a CPU',
    )
    parser.add_argument(
        '--rounds',
        type=int,
        help='turns of each variant: 8 on a GPU, 7 on a CPU',
    )
    parser.add_argument(
        '--steps', type=int, help='steps per turn: 3 on a GPU, 1 on a CPU'
    )
    parser.add_argument('--device', help='cuda if there is one, or cpu')
    parser.add_argument(
        '--precision',
        choices=['float32'],
        help="instead of the config's precision and the reference's float16",
    )
    parser.add_argument('--threads', type=int, help='PyTorch threads on a CPU')
    parser.add_argument('--out', type=Path, help='folder for the results')
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, default={}
    )
    args = parser.parse_args()
    name = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        args.device = torch.device(name)
        torch.empty(0, device=args.device)
    except (AssertionError, RuntimeError) as error:  # torch's, by device
        reason = str(error).splitlines()[0]
        parser.error(f'--device {name} cannot be used here: {reason}')
    on_gpu = args.device.type != 'cpu'
    defaults = dict(
        config=f'configs/uniemox_vit-{"l" if on_gpu else "b"}_pretrain.py',
        variants=[n for n in VARIANTS if on_gpu or n != 'compiled'],
        batch_size=256 if on_gpu else 8,
        rounds=8 if on_gpu else 7,
        steps=3 if on_gpu else 1,
    )
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    for name in ('batch_size', 'rounds', 'steps', 'threads'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    return args


def measure_steps(
    cfg: Config,
    names: Sequence[str],
    batch_size: int,
    device: torch.device,
    rounds: int,
    steps: int,
    precision: str | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
    log: Callable[[str], None] = lambda message: None,
    save: Callable[[dict], None] = lambda result: None,
) -> dict[str, Any]:
    """Build the variants, and measure all of them in this process.

    Args:
        cfg (Config): A training config.
        names (Sequence[str]): Keys of ``VARIANTS``.
        batch_size (int): Images a step.
        device (torch.device): Where to train.
        rounds (int): Rounds, in each of which all variants have a turn.
        steps (int): Steps of a turn.
        precision (str, optional): See :func:`build_variants`.
        progress (Callable): Wraps the rounds.
        log (Callable): Takes a message.
        save (Callable): Takes what is known so far, as soon as the steps are
            timed and again after everything that is measured then.

    Returns:
        dict: Plain JSON; :func:`markdown` makes text of it.

    Raises:
        ValueError: Nothing fits into memory, or as :func:`build_variants`.
    """
    log('Building ...')
    built = build_variants(cfg, names, batch_size, device, precision)
    by_name = {v.name: v for v in built}
    differences = {}
    if {'ours', 'reference'} <= by_name.keys():
        differences = loss_differences(by_name['ours'], by_name['reference'])
    log('Warming up, counting multiply-adds, measuring memory ...')
    known = {v.name: _warm_up(v, device, log) for v in built}
    fitting = [v for v in built if known[v.name] is not None]
    if not fitting:
        raise ValueError(
            'no variant fits into memory: give a smaller --batch-size'
        )
    if known.get('compiled') and known.get('ours'):
        known['compiled']['multiply_adds'] = known['ours']['multiply_adds']
    precisions = sorted({v.precision for v in fitting})
    peaks = {p: matmul_peak(device, p) for p in precisions}
    seconds = probes.interleave(fitting, rounds, steps, device, progress)
    for p in precisions:
        peaks[p] = max(peaks[p], matmul_peak(device, p))
    for v in fitting:
        found = known[v.name]
        low, median, high = quartiles(seconds[v.name])
        macs = found['multiply_adds']
        found.update(
            precision=v.precision,
            seconds=seconds[v.name].tolist(),
            images_per_second=[v.images / s for s in (high, median, low)],
            peak_ratio=macs and macs * v.images / median / peaks[v.precision],
        )
    first = by_name['ours'] if known.get('ours') else fitting[0]
    result = dict(
        config=cfg.filename,
        model=type(first.model).__name__,
        batch_size=batch_size,
        rounds=rounds,
        steps=steps,
        machine=describe_machine(device),
        matmul_peak=peaks,
        variants={v.name: known[v.name] for v in fitting},
        out_of_memory=[v.name for v in built if v not in fitting],
        ratios={
            f'{name}/{base}': quartiles(seconds[name] / seconds[base])
            for name, base in RATIOS
            if name in seconds and base in seconds
        },
        loss_differences=differences,
        step_of_parts=quartiles(seconds[first.name])[1],
    )
    save(result)
    log('Timing the parts ...')
    further: dict[str, Callable[[], Any]] = dict(
        parts=lambda: probes.time_parts(first, max(3, rounds // 2), device),
        data_wait=lambda: probes.data_wait(cfg, first, device, max(8, rounds)),
        waits=lambda: probes.count_waits(first, device),
        gaps=lambda: probes.profile_gaps(first, device),
    )
    if isinstance(first.model, EmoMAE) and first.model.fusion is None:
        del further['parts']
    for name, measure in further.items():
        result[name] = measure()
        save(result)
    return result


def _warm_up(
    variant: Variant, device: torch.device, log: Callable[[str], None]
) -> dict[str, Any] | None:
    """Take the first steps; work and memory, or None if it does not fit."""
    try:
        for _ in range(3 if device.type == 'cuda' else 1):
            variant.step()
        macs = None
        if variant.name != 'compiled':
            macs = probes.multiply_adds(variant) / variant.images
        return dict(
            multiply_adds=macs, peak_bytes=probes.peak_bytes(variant, device)
        )
    except torch.OutOfMemoryError:
        log(f'{variant.name} does not fit into memory: left out')
        variant.model.zero_grad()
        torch.cuda.empty_cache()
        return None


def markdown(result: dict[str, Any]) -> str:
    """Return tables of what :func:`measure_steps` measured."""
    peaks = ', '.join(
        f'{peak / 1e12:.2f} T multiply-adds a second in {precision}'
        for precision, peak in result['matmul_peak'].items()
    )
    lines = [
        f'`{result["config"]}`, batches of {result["batch_size"]}, medians '
        f'and quartiles of {result["rounds"]} rounds of {result["steps"]} '
        f'steps. {machine_text(result["machine"])}. Large matrix products '
        f'reach {peaks}.',
        '',
        '| variant | precision | images/s | of the matmul peak | peak memory '
        '| G multiply-adds an image | time of a step / ours | predicted |',
        '|---|---|---|---|---|---|---|---|',
        *(_variant_row(result, name) for name in result['variants']),
        '',
        *(f'- `{name}`: {VARIANTS[name]}' for name in result['variants']),
    ]
    if result['out_of_memory']:
        lines += ['', f'Out of memory: {", ".join(result["out_of_memory"])}.']
    pairs = [f'{name}/{base}' for name, base in RATIOS if base != 'ours']
    pairs = [pair for pair in pairs if pair in result['ratios']]
    lines += ['', *(f'- time of `{p}`: {_ratio(result, p)}' for p in pairs)]
    if result['loss_differences']:
        differences = ', '.join(
            f'{name} {value:.1e}'
            for name, value in result['loss_differences'].items()
        )
        lines += [
            '',
            'Losses of `ours` and `reference` on the same weights, masks and '
            f'images in float32 differ by: {differences}.',
        ]
    if 'parts' in result:
        whole, parts = result['step_of_parts'], result['parts']
        lines += [
            '',
            '| part, with its backward pass | ms | of the step |',
            '|---|---|---|',
        ]
        parts = {**parts, 'sum': sum(parts.values()), 'measured step': whole}
        lines += [
            f'| {name} | {1e3 * part:.1f} | {part / whole:.1%} |'
            for name, part in parts.items()
        ]
    return '\n'.join([*lines, '', *_waiting(result)]) + '\n'


def _ratio(result: dict, pair: str) -> str:
    low, median, high = result['ratios'][pair]
    return f'{median:.3f} ({low:.3f} to {high:.3f})'


def _variant_row(result: dict, name: str) -> str:
    found, ours = result['variants'][name], result['variants'].get('ours')
    low, median, high = found['images_per_second']
    macs, memory = found['multiply_adds'], found['peak_bytes']
    ratio = predicted = '1' if name == 'ours' else ''
    if ours and name != 'ours':
        ratio = _ratio(result, f'{name}/ours')
        predicted = f'{macs / ours["multiply_adds"]:.2f}' if macs else ''
    cells = [
        f'`{name}`',
        found['precision'],
        f'{median:.2f} ({low:.2f} to {high:.2f})',
        f'{found["peak_ratio"]:.1%}' if macs else '',
        f'{memory / 1e9:.1f} GB' if memory is not None else 'not measured',
        f'{macs / 1e9:.1f}' if macs else '',
        ratio,
        predicted,
    ]
    return f'| {" | ".join(cells)} |'


def _waiting(result: dict) -> list[str]:
    """Lines on waiting, as far as it is measured yet."""
    lines = []
    if 'data_wait' in result:
        wait = result['data_wait']
        text = 'not measured, the dataset is not there'
        text = text if wait is None else f'{1e3 * wait:.1f} ms a step'
        lines.append(f'- waiting for images: {text}')
    if 'waits' in result:
        waits = [f'{n} x {place}' for place, n in result['waits'].items()]
        text = ', '.join(waits) or 'never'
        lines.append(f'- the host waits for the device in a step: {text}')
    if 'gaps' in result:
        gaps, text = result['gaps'], 'not measured here'
        if gaps is not None:
            idle, longest = gaps['idle'], gaps['longest']
            text = f'{idle:.1%} of a step, {longest:.1%} at a time'
        lines.append(f'- the device is idle: {text}')
    return lines


def _save(folder: Path, result: dict) -> None:
    """Write what is known so far: minutes of measuring are not lost."""
    with atomic_file(folder / 'train_step.md') as file:
        file.write(markdown(result))
    with atomic_file(folder / 'train_step.json') as file:
        json.dump(result, file, indent=1)


def main() -> None:
    args = parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')  # initial weights
    if args.threads:
        torch.set_num_threads(args.threads)
    started = time.perf_counter()
    log = partial(print, file=sys.stderr, flush=True)
    try:
        result = measure_steps(
            read_config(args.config, args.cfg_options),
            args.variants,
            args.batch_size,
            args.device,
            args.rounds,
            args.steps,
            args.precision,
            progress=lambda rounds: tqdm(rounds, 'rounds', leave=False),
            log=log,
            save=partial(_save, args.out) if args.out else lambda result: None,
        )
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    print(markdown(result))
    if args.out:
        log(f'Written to {args.out}')
    log(f'{time.perf_counter() - started:.0f} s in all')


if __name__ == '__main__':
    main()
