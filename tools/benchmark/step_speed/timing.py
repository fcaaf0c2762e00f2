"""How long the steps of several arrangements take, side by side."""

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from .arrangements import Arrangement


def seconds_of(call: Callable, device: torch.device) -> float:
    """Wall time of a call, until the device has done it."""
    wait_for(device)
    start = time.perf_counter()
    call()
    wait_for(device)
    return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    """Waits until the device has nothing to do."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def interleave(
    arrangements: Sequence[Arrangement],
    rounds: int,
    steps: int,
    device: torch.device,
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, np.ndarray]:
    """Times all arrangements in every round, in turns.

    What slows the machine down for a while then slows all of them down, and
    the ratios of a round stay true. The order is reversed in every other
    round, so that none always comes after the same one.

    Args:
        arrangements (Sequence[Arrangement]): What to run, warmed up.
        rounds (int): Number of rounds.
        steps (int): Steps of an arrangement in a round.
        device (torch.device): Where they run.
        progress (Callable): Wraps the rounds.

    Returns:
        dict[str, np.ndarray]: Seconds a step, (rounds,), by name.
    """
    found = {a.name: np.empty(rounds) for a in arrangements}
    for number in progress(range(rounds)):
        for arrangement in arrangements[:: -1 if number % 2 else 1]:

            def run(step: Callable = arrangement.step) -> None:
                for _ in range(steps):
                    step()

            seconds = seconds_of(run, device)
            found[arrangement.name][number] = seconds / steps
    return found


def spread(seconds: np.ndarray) -> tuple[float, float, float]:
    """Median and quartiles: 25 %, 50 %, 75 %."""
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return float(low), float(median), float(high)


def ratio(
    seconds: dict[str, np.ndarray], name: str, base: str = 'ours'
) -> tuple[float, float, float]:
    """How many times as long ``name`` takes as ``base``, round by round.

    Returns:
        tuple: Quartiles of the ratios, 25 %, 50 %, 75 %.
    """
    return spread(seconds[name] / seconds[base])
