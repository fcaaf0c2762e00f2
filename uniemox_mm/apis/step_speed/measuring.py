"""Measures training steps from every side."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from mmengine.config import Config

from uniemox_mm.models import EmoMAE

from ..hardware import describe_machine
from .agreement import disagreement
from .arrangements import Arrangement, build_arrangements
from .loading import seconds_of_waiting
from .memory import peak_bytes
from .parts import time_parts
from .timing import interleave, ratio, spread
from .waiting import count_waits, profile_gaps
from .work import matmul_peak, multiply_adds


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
) -> dict[str, Any]:
    """Builds the arrangements, and measures all of them in this process.

    Args:
        cfg (Config): A training config.
        names (Sequence[str]): Keys of ``ARRANGEMENTS``.
        batch_size (int): Images a step.
        device (torch.device): Where to train.
        rounds (int): Rounds, in each of which all arrangements have a turn.
        steps (int): Steps of a turn.
        precision (str, optional): See :func:`build_arrangements`.
        progress (Callable): Wraps the rounds.
        log (Callable): Takes a message.

    Returns:
        dict: Plain JSON; :func:`markdown` makes text of it.
    """
    log('Building ...')
    found = build_arrangements(cfg, names, batch_size, device, precision)
    by_name = {a.name: a for a in found}
    same = {}
    if {'ours', 'reference'} <= by_name.keys():
        same = disagreement(by_name['ours'], by_name['reference'])
    log('Warming up, counting, and looking at memory ...')
    work, memory = {}, {}
    for arrangement in found:
        for _ in range(3 if device.type == 'cuda' else 1):
            arrangement.step()
        work[arrangement.name] = _count(arrangement)
        memory[arrangement.name] = peak_bytes(arrangement, device)
    if 'compiled' in work and 'ours' in work:
        work['compiled'] = work['ours']
    precisions = sorted({a.precision for a in found})
    peaks = {p: matmul_peak(device, p) for p in precisions}
    seconds = interleave(found, rounds, steps, device, progress)
    for p in precisions:
        peaks[p] = max(peaks[p], matmul_peak(device, p))
    log('Timing the parts ...')
    first = by_name.get('ours', found[0])
    rows = []
    for a in found:
        low, median, high = spread(seconds[a.name])
        macs = work[a.name]
        rows.append(
            dict(
                name=a.name,
                precision=a.precision,
                images_per_second=batch_size / median,
                spread=[batch_size / high, batch_size / low],
                peak_bytes=memory[a.name],
                multiply_adds=macs and macs / batch_size,
                share_of_peak=macs and macs / median / peaks[a.precision],
                times_ours=_times(seconds, work, a.name, 'ours'),
            )
        )
    result = dict(
        config=cfg.filename,
        model=type(first.model).__name__,
        batch_size=batch_size,
        rounds=rounds,
        steps=steps,
        machine=describe_machine(device),
        matmul_peak=peaks,
        rows=rows,
        loss_differences=same,
        seconds={name: list(map(float, s)) for name, s in seconds.items()},
    )
    if isinstance(first.model, EmoMAE) and first.model.fusion is None:
        return result
    parts = time_parts(first, max(3, rounds // 2), device)
    result.update(
        parts=parts,
        step_of_parts=spread(seconds[first.name])[1],
        data_wait=seconds_of_waiting(cfg, first, device, max(8, rounds)),
        waits=count_waits(first, device),
        gaps=profile_gaps(first, device),
    )
    return result


def _count(arrangement: Arrangement) -> int | None:
    if arrangement.name == 'compiled':
        return None
    return multiply_adds(arrangement)


def _times(
    seconds: dict, work: dict, name: str, base: str
) -> dict[str, Any] | None:
    """Measured and predicted ratio of the seconds a step."""
    if base not in seconds or name == base:
        return None
    low, median, high = ratio(seconds, name, base)
    predicted = work[name] / work[base] if work[name] else None
    return dict(measured=median, spread=[low, high], predicted=predicted)
