"""How much memory a step takes at most."""

import ctypes
from pathlib import Path

import torch

from .arrangements import Arrangement

_STATUS = Path('/proc/self/status')
_CLEAR = Path('/proc/self/clear_refs')


def peak_bytes(arrangement: Arrangement, device: torch.device) -> int | None:
    """Peak memory of a step, with the arrangement's own weights.

    What other arrangements of the process hold is taken off. Takes a step.

    Args:
        arrangement (Arrangement): Has done a step before.
        device (torch.device): Where it runs.

    Returns:
        int | None: Bytes on a GPU as PyTorch allocated them, or of the
        process on a CPU; None where the system does not tell.
    """
    own = arrangement.own_bytes()
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        arrangement.step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before + own
    _give_back_what_is_free()
    try:
        _CLEAR.write_text('5')  # resets the high-water mark
        before = _status('VmRSS')
        arrangement.step()
        return max(0, _status('VmHWM') - before) + own
    except (OSError, KeyError):
        return None


def _give_back_what_is_free() -> None:
    """Or a step would find its memory in what an earlier one left."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:  # of glibc
        trim(0)


def _status(key: str) -> int:
    """A number of bytes that Linux tells of this process."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f'{key}:'):
            return int(line.split()[1]) * 1024
    raise KeyError(key)
