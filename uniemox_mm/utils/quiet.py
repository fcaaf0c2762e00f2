"""What MMEngine tells while it works: not at all, or on stderr."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field

from mmengine.logging import MMLogger


@dataclass
class _Silence:
    """Who asked for silence, and what was silent before the first did.

    Python has one setting for the process, so the last one to leave restores
    it, in whatever order threads come and go.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    inside: int = 0
    before: int = logging.NOTSET

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self.before = logging.root.manager.disable
                _silence_up_to(max(self.before, logging.INFO))
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                _silence_up_to(self.before)


def _silence_up_to(level: int) -> None:
    logging.disable(level)
    # Loggers remember what is enabled, and Python does not know of these.
    for logger in MMLogger._instance_dict.values():
        logger._cache.clear()


_silence = _Silence()


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Drops messages up to INFO; warnings are still heard.

    May be nested and used by several threads. Afterwards the process's
    setting is what it was.
    """
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()


@contextmanager
def messages_to_stderr() -> Iterator[None]:
    """Sends to stderr what anybody prints, and what MMEngine logs to stdout.

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
