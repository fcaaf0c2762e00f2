"""Runs other programs so that none is left behind."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GRACE = 40.0  # seconds; torchrun gives its own processes 30
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded here, since little is safe between fork and exec.
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None


def run_logged(command: Sequence[str], log: Path) -> int:
    """Runs a command to its end; all that it says goes into a file.

    It is out of reach of the terminal: Ctrl-C comes to this process alone,
    which then ends the command by SIGTERM, as Slurm would. On Linux it also
    ends where this process is killed.

    Args:
        command (Sequence[str]): Program and arguments. ``python`` is the one
            that runs this.
        log (Path): The file, which is appended to.

    Returns:
        int: The exit status; of a command that was killed the negative
        number of the signal.

    Raises:
        KeyboardInterrupt: It was interrupted; the command has ended.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([folder, os.environ.get('PATH', os.defpath)])
    with log.open('ab') as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PATH': path},
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        raise
    finally:
        # What is left of it: data workers notice only after seconds.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def last_lines(log: Path, start: int, count: int = 12) -> str:
    """The end of a log, as a terminal would show it.

    Args:
        log (Path): The file.
        start (int): Byte from which on to look.
        count (int): Number of lines. Defaults to 12.

    Returns:
        str: The lines that are not blank.
    """
    with log.open('rb') as file:
        file.seek(start)
        text = file.read().decode(errors='replace')
    lines = []
    for line in text.split('\n'):
        # Of a progress bar only what it showed last.
        parts = [part for part in line.split('\r') if part.strip()]
        lines += parts[-1:]
    return '\n'.join(lines[-count:])
