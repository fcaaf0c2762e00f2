"""Measures training steps from every side."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from machine import describe_machine
from mmengine.config import Config

from uniemox_mm.models import EmoMAE

from .agreement import disagreement
from .arrangements import Arrangement, build_arrangements
from .goals import PAIRS
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
    save: Callable[[dict], None] = lambda result: None,
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
        save (Callable): Takes what is known so far, as soon as the steps are
            timed and again after everything that is measured then.

    Returns:
        dict: Plain JSON; :func:`markdown` makes text of it.

    Raises:
        ValueError: Nothing fits into memory, or as
            :func:`build_arrangements`.
    """
    log('Building ...')
    built = build_arrangements(cfg, names, batch_size, device, precision)
    by_name = {a.name: a for a in built}
    same = {}
    if {'ours', 'reference'} <= by_name.keys():
        same = disagreement(by_name['ours'], by_name['reference'])
    log('Warming up, counting, and looking at memory ...')
    found, work, memory = _warm_up(built, device, log)
    precisions = sorted({a.precision for a in found})
    peaks = {p: matmul_peak(device, p) for p in precisions}
    seconds = interleave(found, rounds, steps, device, progress)
    for p in precisions:
        peaks[p] = max(peaks[p], matmul_peak(device, p))
    first = next((a for a in found if a.name == 'ours'), found[0])
    result = dict(
        config=cfg.filename,
        model=type(first.model).__name__,
        batch_size=batch_size,
        rounds=rounds,
        steps=steps,
        machine=describe_machine(device),
        matmul_peak=peaks,
        rows=[_row(a, seconds, work, memory, peaks) for a in found],
        left_out=[a.name for a in built if a not in found],
        ratios={
            f'{name}/{base}': ratio(seconds, name, base)
            for name, base in PAIRS
            if name in seconds and base in seconds
        },
        loss_differences=same,
        seconds={name: list(map(float, s)) for name, s in seconds.items()},
        step_of_parts=spread(seconds[first.name])[1],
    )
    save(result)
    log('Timing the parts ...')
    further: dict[str, Callable[[], Any]] = dict(
        parts=lambda: time_parts(first, max(3, rounds // 2), device),
        data_wait=lambda: seconds_of_waiting(
            cfg, first, device, max(8, rounds)
        ),
        waits=lambda: count_waits(first, device),
        gaps=lambda: profile_gaps(first, device),
    )
    if isinstance(first.model, EmoMAE) and first.model.fusion is None:
        del further['parts']
    for name, measure in further.items():
        result[name] = measure()
        save(result)
    return result


def _warm_up(
    arrangements: Sequence[Arrangement],
    device: torch.device,
    log: Callable[[str], None],
) -> tuple[list[Arrangement], dict, dict]:
    """First steps: those that fit into memory, their work and their memory.

    Raises:
        ValueError: None of them fits.
    """
    found, work, memory = [], {}, {}
    for arrangement in arrangements:
        try:
            for _ in range(3 if device.type == 'cuda' else 1):
                arrangement.step()
            work[arrangement.name] = _count(arrangement)
            memory[arrangement.name] = peak_bytes(arrangement, device)
        except torch.OutOfMemoryError:
            log(f'{arrangement.name} does not fit into memory: left out')
            arrangement.model.zero_grad()
            torch.cuda.empty_cache()
            continue
        found.append(arrangement)
    if not found:
        raise ValueError(
            'no arrangement fits into memory: give a smaller --batch-size'
        )
    if 'compiled' in work and 'ours' in work:
        work['compiled'] = work['ours']
    return found, work, memory


def _row(
    arrangement: Arrangement,
    seconds: dict,
    work: dict,
    memory: dict,
    peaks: dict,
) -> dict[str, Any]:
    """All that is told of one arrangement."""
    name, images = arrangement.name, arrangement.images
    low, median, high = spread(seconds[name])
    macs = work[name]
    return dict(
        name=name,
        precision=arrangement.precision,
        images_per_second=images / median,
        spread=[images / high, images / low],
        peak_bytes=memory[name],
        multiply_adds=macs and macs / images,
        share_of_peak=macs and macs / median / peaks[arrangement.precision],
        times_ours=_times(seconds, work, name, 'ours'),
    )


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
