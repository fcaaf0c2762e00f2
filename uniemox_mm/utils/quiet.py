"""MMEngine's messages: none, or on stderr."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from mmengine.logging import MMLogger

_lock = threading.Lock()
# Python has one level for the process: those before each caller. The last to
# leave restores the first, in whatever order threads come and go.
_before: list[int] = []


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Drop messages up to INFO; warnings are still logged.

    May be nested and used by several threads. Afterwards the process's
    level is what it was.
    """
    with _lock:
        _before.append(logging.root.manager.disable)
        _disable(max(_before[-1], logging.INFO))
    try:
        yield
    finally:
        with _lock:
            _disable(_before.pop())


def _disable(level: int) -> None:
    logging.disable(level)
    # Loggers cache what is enabled, and Python does not know of MMEngine's.
    for logger in MMLogger._instance_dict.values():
        logger._cache.clear()


@contextmanager
def messages_to_stderr() -> Iterator[None]:
    """Send to stderr what is printed, and what MMEngine logs to stdout.

    For commands whose stdout is read by programs.
    """
    streams = [
        (handler, handler.stream)
        for handler in MMLogger.get_current_instance().handlers
        if type(handler) is logging.StreamHandler
    ]
    try:
        for handler, _ in streams:
            handler.setStream(sys.stderr)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        for handler, stream in streams:
            handler.setStream(stream)
