"""Annotation files in OpenMMLab 2.0 format, written entry by entry."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .json_files import read_json


def read_metainfo(path: str | Path) -> dict:
    """What an annotation file says of all its entries.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON.
    """
    content = read_json(path)
    metainfo = content.get('metainfo') if isinstance(content, dict) else None
    return metainfo if isinstance(metainfo, dict) else {}


def write_openmmlab(
    path: str | Path, metainfo: dict, entries: Iterable[dict]
) -> None:
    """Writes ``{"metainfo": {...}, "data_list": [...]}``, all or nothing.

    One entry a line, and never more than one in memory.

    Args:
        path (str | Path): The file.
        metainfo (dict): What holds for all entries.
        entries (Iterable[dict]): The entries.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f'.{path.name}-', suffix='.tmp', dir=path.parent
    )
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as file:
            file.write(
                f'{{"metainfo": {json.dumps(metainfo)},\n"data_list": ['
            )
            separator = '\n'
            for entry in entries:
                file.write(separator + json.dumps(entry))
                separator = ',\n'
            file.write('\n]}\n')
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # mkstemp shuts others out
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
