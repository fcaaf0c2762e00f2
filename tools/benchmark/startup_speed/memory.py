"""What memory a process holds, and what of it is its own."""

import os
from pathlib import Path

import numpy as np

_MIB = 2**20
_PAGE = os.sysconf('SC_PAGE_SIZE')
# Bits of a page, https://docs.kernel.org/admin-guide/mm/pagemap.html
_PRESENT = np.uint64(1 << 63)
_EXCLUSIVE = np.uint64(1 << 56)


def memory_of(pid: int) -> dict[str, float]:
    """Memory of a process, from Linux.

    Args:
        pid (int): The process.

    Returns:
        dict[str, float]: In MiB: ``rss``, with what it shares; ``pss``, with
        its share of what it shares; ``private``, that no other process has;
        and ``peak_rss``.
    """
    sums = _fields(Path(f'/proc/{pid}/smaps_rollup'))
    peak = _fields(Path(f'/proc/{pid}/status'))['VmHWM']
    return dict(
        rss=sums['Rss'] / _MIB,
        pss=sums['Pss'] / _MIB,
        private=(sums['Private_Clean'] + sums['Private_Dirty']) / _MIB,
        peak_rss=peak / _MIB,
    )


def private_part(pid: int, array: np.ndarray) -> float:
    """How much of an array a forked process has a copy of.

    Args:
        pid (int): A process that was forked from this one.
        array (np.ndarray): An array of this process, contiguous.

    Returns:
        float: MiB in pages of the array that the process shares with no
        other. A page that has neighbours of the array on it does not count.
    """
    start = array.__array_interface__['data'][0]
    first = -(-start // _PAGE)
    count = max((start + array.nbytes) // _PAGE - first, 0)
    # Areas of memory, which smaps has, hold more than the array.
    with Path(f'/proc/{pid}/pagemap').open('rb') as file:
        file.seek(8 * first)
        pages = np.frombuffer(file.read(8 * count), np.uint64)
    private = (pages & _PRESENT > 0) & (pages & _EXCLUSIVE > 0)
    return int(private.sum()) * _PAGE / _MIB


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that are there."""
    text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return [int(child) for child in text.split()]


def _fields(path: Path) -> dict[str, int]:
    """The values of a file of Linux that are in kB, in bytes."""
    values = {}
    for line in path.read_text().splitlines():
        parts = line.split()
        if parts[-1:] == ['kB']:
            values[parts[0].rstrip(':')] = 1024 * int(parts[-2])
    return values
