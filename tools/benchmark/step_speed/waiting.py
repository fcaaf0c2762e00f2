"""Where the host waits for the device, and the device for the host."""

import warnings
from collections import Counter
from collections.abc import Iterable

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .arrangements import Arrangement

# What PyTorch says of each wait, and not of the mode that finds them.
_WARNING = 'called a synchronizing CUDA operation'
# Operations whose result the host needs before it can go on.
WAITING = {
    'aten._local_scalar_dense',
    'aten.is_nonzero',
    'aten.masked_select',
    'aten.nonzero',
    'aten.equal',
}
# The same if indexed by a mask, of which the size of the result depends.
INDEXING = {'aten.index', 'aten.index_put', 'aten.index_put_'}


class _Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func).rsplit('.', 1)[0]
        masked = name in INDEXING and any(
            index is not None and index.dtype in (torch.bool, torch.uint8)
            for index in args[1]
        )
        if name in WAITING or masked:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


def count_waits(
    arrangement: Arrangement, device: torch.device
) -> dict[str, int]:
    """Counts where the host waits for the device in one step.

    Args:
        arrangement (Arrangement): Has done a step before.
        device (torch.device): On a GPU PyTorch itself reports every wait; on
            a CPU the operations are counted that would be one there, other
            than copies from and to the device, which a CPU does not have.

    Returns:
        dict[str, int]: How often, by operation or place in the code.
    """
    if device.type != 'cuda':
        with _Counting() as counting:
            arrangement.step()
        return dict(counting.found)
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.synchronize(device)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            arrangement.step()
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    places = (
        f'{w.filename.rsplit("site-packages/", 1)[-1]}:{w.lineno}'
        for w in caught
        if _WARNING in str(w.message)
    )
    return dict(Counter(places))


def gaps(
    busy: Iterable[tuple[float, float]], start: float, end: float
) -> list[tuple[float, float]]:
    """Times between ``start`` and ``end`` in which nothing runs.

    Args:
        busy (Iterable[tuple[float, float]]): Beginnings and ends of what
            runs, which may overlap, in any order.
        start (float): Beginning of the window.
        end (float): Its end.

    Returns:
        list[tuple[float, float]]: Beginnings and ends, in order.
    """
    found, free_from = [], start
    for first, last in sorted(busy):
        if first >= end:
            break
        if first > free_from:
            found.append((free_from, first))
        free_from = max(free_from, last)
    if free_from < end:
        found.append((free_from, end))
    return found


def profile_gaps(
    arrangement: Arrangement, device: torch.device, steps: int = 3
) -> dict[str, float] | None:
    """How much of a step a GPU is idle, by PyTorch's profiler.

    Args:
        arrangement (Arrangement): Warmed up.
        device (torch.device): On a CPU there is nothing to tell.
        steps (int): Steps to look at, one after the other.

    Returns:
        dict[str, float] | None: Shares of a step, 0 to 1: ``idle`` in all,
        and the ``longest`` gap. None where the profiler sees nothing, as on
        machines that do not let it.
    """
    if device.type != 'cuda':
        return None
    activities = [
        torch.profiler.ProfilerActivity.CPU,
        torch.profiler.ProfilerActivity.CUDA,
    ]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(steps):
            arrangement.step()
        torch.cuda.synchronize(device)
    busy = [
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
        and not getattr(event, 'is_user_annotation', False)
    ]
    if not busy:
        return None
    start, end = min(first for first, _ in busy), max(last for _, last in busy)
    idle = [last - first for first, last in gaps(busy, start, end)]
    step = (end - start) / steps
    return dict(
        idle=sum(idle) / (end - start), longest=max(idle, default=0.0) / step
    )
