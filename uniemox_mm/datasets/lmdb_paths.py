"""Read images in an LMDB under paths that look like those of files."""

import os
from pathlib import Path, PurePath

from mmengine.fileio import LmdbBackend, LocalBackend, register_backend

_OPEN: dict[Path, LmdbBackend] = {}
# LMDB must not be open across a fork: it is closed before, and opened again
# by the next reader.
os.register_at_fork(before=_OPEN.clear)


def split_lmdb_path(path: str | Path) -> tuple[Path, str] | None:
    """Split a path such as ``root/image.lmdb/awe/awe_00000.jpg``.

    Returns:
        tuple[Path, str] | None: The database and the key in it, or None for
        the path of a file.
    """
    parts = PurePath(path).parts
    named = [i for i, part in enumerate(parts[:-1]) if part.endswith('.lmdb')]
    for i in reversed(named):
        database = Path(*parts[: i + 1])
        # A plain folder may have such a name; a missing database counts.
        if (database / 'data.mdb').exists() or not database.exists():
            return database, '/'.join(parts[i + 1 :])
    return None


class LocalOrLmdbBackend(LocalBackend):
    """MMEngine's local file backend, which also looks into LMDBs.

    Registered as ``local_or_lmdb``; :class:`LoadEmotionImage` uses it.
    """

    def get(self, filepath: str | Path) -> bytes:
        """Read a file, or the value of an LMDB under the rest of the path.

        Raises:
            FileNotFoundError: The file, database or key is missing.
            ImportError: lmdb is not installed.
        """
        split = split_lmdb_path(filepath)
        if split is None:
            return super().get(filepath)
        database, key = split
        if not database.is_dir():
            raise FileNotFoundError(f'{database}: no such database')
        if database not in _OPEN:
            _OPEN[database] = LmdbBackend(database)
        content = _OPEN[database].get(key)
        if content is None:
            raise FileNotFoundError(f'{database}: no key {key}')
        return content


register_backend('local_or_lmdb', LocalOrLmdbBackend, force=True)
