"""Commands that tests run, and kill, as a user would."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT, environment, execute
from uniemox_mm.utils.chunked_job import ChunkedJob


def run(*arguments) -> subprocess.CompletedProcess:
    """Run a Python script of the repository."""
    return execute(sys.executable, *arguments)


def kill_after(chunks: int, parts: Path, out: Path, *arguments) -> None:
    """Kill a Python script once a resumable job has results.

    Args:
        chunks (int): How many chunks must be done.
        parts (Path): The job's folder.
        out (Path): What the script's workers, which must end too, write.
        *arguments: The script and its arguments.
    """
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        if len(list(parts.glob('[0-9]*.json'))) >= chunks:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.001)
    assert process.returncode == -signal.SIGKILL
    wait_until_nobody_works_on(out)


@contextlib.contextmanager
def killed_at(chunk: int) -> Iterator[None]:
    """Have a resumable job of this process killed when it saves a chunk."""

    def save(job, number, result):
        if number == chunk:
            raise KeyboardInterrupt
        real(job, number, result)

    real, ChunkedJob.save = ChunkedJob.save, save
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        ChunkedJob.save = real


def wait_until_nobody_works_on(out: Path) -> None:
    """Fail where a worker outlives its killed parent."""
    if sys.platform != 'linux':
        return
    for _ in range(100):
        commands = []
        for path in Path('/proc').glob('[0-9]*/cmdline'):
            with contextlib.suppress(OSError):
                commands.append(path.read_bytes())
        if not any(str(out).encode() in c for c in commands):
            return
        time.sleep(0.1)
    pytest.fail(f'a process still works on {out}')
