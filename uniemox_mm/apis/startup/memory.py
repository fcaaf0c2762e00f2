"""What memory a process holds, and what of it is its own."""

from pathlib import Path

import numpy as np

_MIB = 2**20


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
        other; up to a page at each end may be of its neighbours.
    """
    start = array.__array_interface__['data'][0]
    end, private = start + array.nbytes, 0
    inside = False
    with Path(f'/proc/{pid}/smaps').open() as lines:
        for line in lines:
            head = line.split(maxsplit=1)[0]
            if not head.endswith(':'):  # addresses open a new area
                low, high = (int(part, 16) for part in head.split('-'))
                inside = low < end and start < high
            elif inside and head in ('Private_Clean:', 'Private_Dirty:'):
                private += 1024 * int(line.split()[1])
    return private / _MIB


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
