"""Where the command ``predict`` puts its results."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from uniemox_mm.utils.atomic_files import atomic_file

from .results import to_json
from .text_table import text_table

Write = Callable[[dict], object]


@contextmanager
def file_writer(path: Path) -> Iterator[Write]:
    """Writes ``*.json``, a list, or ``*.jsonl``, a line for each result.

    The file is opened at once and has its name at the end, all or nothing.

    Yields:
        Callable: Takes a result.

    Raises:
        OSError: The file cannot be written.
    """
    if path.is_dir():
        raise IsADirectoryError(f'{path}: is a folder; expected a file')
    with atomic_file(path) as file:
        if path.suffix == '.jsonl':
            yield lambda result: file.write(_line(result))
        else:
            rows: list[dict] = []
            yield lambda result: rows.append(to_json(result))
            json.dump(rows, file, indent=1)


@contextmanager
def line_writer(stream: IO[str]) -> Iterator[Write]:
    """Writes a line of JSON for each result, at once."""
    yield lambda result: print(_line(result), end='', file=stream, flush=True)


@contextmanager
def table_writer(stream: IO[str], top: int) -> Iterator[Write]:
    """Writes a table at the end, when its widths are known."""
    results: list[dict] = []
    yield results.append
    stream.write(text_table(results, top))


def _line(result: dict) -> str:
    return f'{json.dumps(to_json(result))}\n'
