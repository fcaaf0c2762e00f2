"""Read JSON with errors that name the file; write long lists."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .atomic_files import atomic_file


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON; the message names it.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such file') from None
    except (ValueError, RecursionError) as error:  # also bytes not UTF-8
        raise ValueError(f'{path}: not valid JSON ({error})') from None


def read_metainfo(path: str | Path) -> dict:
    """Read the metainfo of an OpenMMLab 2.0 file, {} where it has none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON.
    """
    content = read_json(path)
    metainfo = content.get('metainfo') if isinstance(content, dict) else None
    return metainfo if isinstance(metainfo, dict) else {}


def write_json_list(
    path: str | Path, head: dict, name: str, entries: Iterable[dict]
) -> None:
    """Write an object whose last value is a long list, atomically.

    One entry per line, and never more than one in memory. ``head`` has the
    values before the list, whose key is ``name``.
    """
    with atomic_file(path) as file:
        file.write('{')
        for key, value in head.items():
            file.write(f'{json.dumps(key)}: {json.dumps(value)},\n')
        file.write(f'{json.dumps(name)}: [')
        separator = '\n'
        for entry in entries:
            file.write(separator + json.dumps(entry))
            separator = ',\n'
        file.write('\n]}\n')


def write_openmmlab(
    path: str | Path, metainfo: dict, entries: Iterable[dict]
) -> None:
    """Write an annotation file in OpenMMLab 2.0 format, atomically."""
    write_json_list(path, dict(metainfo=metainfo), 'data_list', entries)
