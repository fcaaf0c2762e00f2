"""Run a program to its end, with its output in a log."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent

GRACE = 40.0  # seconds; torchrun gives its own processes 30
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded here, since little is safe between fork and exec.
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None


def run_logged(
    command: Sequence[object],
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end and append its output to a file.

    It is out of reach of the terminal: Ctrl-C comes to this process alone,
    which then ends the command by SIGTERM, as Slurm would. On Linux it also
    ends when this process is killed.

    Args:
        command (Sequence[object]): Program and arguments. ``python`` is the
            one that runs this.
        log (Path): The file.
        cwd (Path, optional): Folder to run in. Defaults to the current one.
        env (Mapping[str, str], optional): Added to the environment.

    Raises:
        RuntimeError: The command failed; the message has its last lines.
        KeyboardInterrupt: Interrupted; the command has ended.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([folder, os.environ.get('PATH', os.defpath)])
    with log.open('ab') as file:
        start = file.tell()
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, 'PATH': path, **(env or {})},
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        status = process.wait()
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
    if status:
        raise RuntimeError(
            f'failed with status {status}; its last lines:\n'
            f'{indent(last_lines(log, start), "  ")}\n  (log: {log})'
        )


def last_lines(log: Path, start: int = 0, count: int = 12) -> str:
    """Return the end of a log, as a terminal would show it.

    Args:
        log (Path): The file.
        start (int): Byte to start from. Defaults to 0.
        count (int): Number of lines. Defaults to 12.

    Returns:
        str: The lines that are not blank.
    """
    text = log.read_bytes()[start:].decode(errors='replace')
    lines = []
    for line in text.split('\n'):
        # Of a progress bar only what it showed last.
        parts = [part for part in line.split('\r') if part.strip()]
        lines += parts[-1:]
    return '\n'.join(lines[-count:])


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
