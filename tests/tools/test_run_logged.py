"""Programs that are run to their end, or terminated."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import run_logged as module
from run_logged import last_lines, run_logged


@pytest.fixture
def interrupt():
    """Interrupts this process, as often as is wanted, from now on."""

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    yield lambda first, next=0.0: signal.setitimer(
        signal.ITIMER_REAL, first, next
    )
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def alive(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1]
    except OSError:
        return False
    return state.split()[0] != 'Z'


def wait_until(condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail('waited for 5 seconds')


def test_output_and_status(tmp_path):
    log = tmp_path / 'new/log'
    run_logged(['bash', '-c', 'command -v python'], log)
    run_logged(['bash', '-c', 'pwd; echo $X'], log, tmp_path, dict(X='5'))
    python = Path(sys.executable).parent / 'python'
    assert log.read_text() == f'{python}\n{tmp_path}\n5\n'
    script = 'import sys; print("out"); sys.exit("err")'
    with pytest.raises(RuntimeError) as error:
        run_logged([sys.executable, '-c', script], log)
    assert re.search(r'status 1;.*\n  out\n  err\n.*new/log', str(error.value))
    assert str(python) not in str(error.value)  # of an earlier run
    with pytest.raises(RuntimeError, match=f'status -{signal.SIGKILL:d}'):
        run_logged(['bash', '-c', 'kill -9 $$'], log)


@pytest.mark.parametrize('deaf', [False, True])
def test_interrupted_commands_end_with_all_they_started(
    tmp_path, interrupt, monkeypatch, deaf
):
    monkeypatch.setattr(module, 'GRACE', 0.3)
    trap = 'trap "" TERM;' if deaf else ''
    script = f'{trap} sleep 60 & echo $! $$; wait; sleep 60'
    log = tmp_path / 'log'
    interrupt(0.5)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_logged(['bash', '-c', script], log)
    assert time.monotonic() - start < 5
    pids = [int(pid) for pid in log.read_text().split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(alive, pids)))


def test_interrupted_commands_may_clean_up(tmp_path, interrupt):
    script = 'trap "sleep 0.3; echo bye; exit" TERM; sleep 60 & wait'
    interrupt(0.5)
    with pytest.raises(KeyboardInterrupt):
        run_logged(['bash', '-c', script], tmp_path / 'log')
    assert (tmp_path / 'log').read_text() == 'bye\n'


def test_a_second_interruption_does_not_wait(tmp_path, interrupt):
    interrupt(0.5, 0.5)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_logged(
            ['bash', '-c', 'trap "" TERM; sleep 60; sleep 60'],
            tmp_path / 'log',
        )
    interrupt(0)
    assert time.monotonic() - start < 5


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux can do this')
def test_commands_end_where_this_process_is_killed(tmp_path):
    log = tmp_path / 'log'
    child = os.fork()
    if child == 0:
        try:
            run_logged(['bash', '-c', 'echo $$; exec sleep 60'], log)
        finally:
            os._exit(0)
    wait_until(lambda: log.exists() and log.read_text().strip())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pid = int(log.read_text())
    wait_until(lambda: not alive(pid))


def test_last_lines_are_those_of_a_terminal(tmp_path):
    log = tmp_path / 'log'
    before = 'an older run\n'
    log.write_bytes(
        f'{before}one\n\n  1 %\r 50 %\r100 %\r     \r\nt\xe4o\n'.encode(
            'latin1'
        )
        + b'three\n'
    )
    assert last_lines(log, len(before)) == 'one\n100 %\nt\ufffdo\nthree'
    assert last_lines(log, 0, 2) == 't\ufffdo\nthree'
