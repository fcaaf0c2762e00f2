"""Worker processes that do not outlive a killed parent."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(_worker_id: int = 0) -> None:
    """Has this process killed when its parent dies, for ``worker_init_fn``.

    torch's workers look whether the parent is there, but one that was just
    handing over a large result waits for a reader for ever. Only Linux can
    do this; elsewhere nothing happens.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
