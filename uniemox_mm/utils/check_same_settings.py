"""Refusal of files that were made with other settings."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SHOWN = 60  # characters of a value


def check_same_settings(
    stored: Mapping[str, Any],
    now: Mapping[str, Any],
    path: str | Path,
    remedy: str,
    error: type[Exception] = ValueError,
) -> None:
    """Check that a file or folder was made with the settings of this run.

    A setting that is missing equals one that is None, and a tuple the list
    that JSON makes of it.

    Args:
        stored (Mapping): Settings that were stored with the result.
        now (Mapping): Settings of this run, plain JSON.
        path (str | Path): The file or folder, for the message.
        remedy (str): What the user can do, the end of the message.
        error (type[Exception]): Type of the error. Defaults to ValueError.

    Raises:
        Exception: Of type ``error``, where any setting differs; the message
            names each, with its old and new value.

    Example:
        >>> check_same_settings(
        ...     dict(size=3), dict(size=4), 'out.json', 'remove it'
        ... )
        Traceback (most recent call last):
        ...
        ValueError: out.json: was made with other settings: size was 3 and \
is 4; remove it
    """
    now = json.loads(json.dumps(now))
    changes = '; '.join(_changes(stored, now))
    if changes:
        raise error(
            f'{path}: was made with other settings: {changes}; {remedy}'
        )


def _changes(
    stored: Mapping[str, Any], now: Mapping[str, Any], prefix: str = ''
) -> Iterator[str]:
    for key in sorted(stored.keys() | now.keys()):
        before, after = stored.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changes(before, after, f'{prefix}{key}.')
        elif before != after:
            yield f'{prefix}{key} was {_short(before)} and is {_short(after)}'


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 3]}...'
