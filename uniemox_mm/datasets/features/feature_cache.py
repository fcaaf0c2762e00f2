"""Features of a frozen teacher on disk, one row a sample."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Raise it when the meaning of the stored files changes.
FORMAT = 1


class StaleFeaturesError(ValueError):
    """A cache of features was made for other samples or weights."""


class FeatureCache:
    """Memory-mapped features of the samples of a dataset.

    A folder with ``meta.json`` (what the features were made from),
    ``<keys>.txt`` (what each row was made from, one a line), ``hashes.npy``
    (a hash of each) and ``features.npy`` (n, C3). The key of the cache is
    the teacher, checked when it is opened, and what the rows were made from,
    each checked when it is read, so that opening it reads nothing else.

    Args:
        folder (str | Path): The cache.
        teacher (dict): The fingerprint of the teacher in use.
        count (int): Number of samples in the dataset in use.

    Raises:
        StaleFeaturesError: The cache was made for something else, or is
            damaged; the message says what differs.
    """

    what = 'features'
    keys = 'keys'

    def __init__(
        self, folder: str | Path, teacher: dict[str, Any], count: int
    ) -> None:
        self.folder = Path(folder)
        self._check(teacher, count)
        self._hashes: np.ndarray | None = None
        self._features: np.ndarray | None = None

    def read(self, index: int) -> np.ndarray:
        """The feature of a sample, (C3,), a copy."""
        return np.array(self._mapped()[0][index])

    def differs(self, index: int, key: str) -> str | None:
        """What row ``index`` was made from, where it was not ``key``."""
        if self._mapped()[1][index] == key_hash(key):
            return None
        with (self.folder / f'{self.keys}.txt').open(encoding='utf-8') as rows:
            for number, line in enumerate(rows):
                if number == index:
                    return line.rstrip('\n')
        return ''

    @property
    def remedy(self) -> str:
        """What to do about a cache that does not fit."""
        return (
            'remove the folder to have it made anew, or give the cache of '
            'this run another path'
        )

    def __getstate__(self) -> dict:
        # Pickling a memory map would copy the whole file into each worker.
        return {**self.__dict__, '_hashes': None, '_features': None}

    def _mapped(self) -> tuple[np.ndarray, np.ndarray]:
        if self._features is None or self._hashes is None:
            self._hashes = np.load(self.folder / 'hashes.npy', mmap_mode='r')
            self._features = np.load(
                self.folder / 'features.npy', mmap_mode='r'
            )
        return self._features, self._hashes

    def _check(self, teacher: dict[str, Any], count: int) -> None:
        try:
            meta = json.loads((self.folder / 'meta.json').read_text())
            stored = {
                name: np.load(self.folder / name, mmap_mode='r').shape
                for name in ('features.npy', 'hashes.npy')
            }
        except (OSError, ValueError, EOFError) as error:
            raise StaleFeaturesError(
                f'{self.folder}: not a cache of {self.what} ({error}); '
                f'{self.remedy}'
            ) from None
        # Through JSON like the stored one, which knows no tuples.
        now = json.loads(
            json.dumps(dict(format=FORMAT, count=count, **teacher))
        )
        differences = [
            f'{key} was {meta.get(key)!r} and is {now.get(key)!r}'
            for key in sorted(now.keys() | meta.keys())
            if meta.get(key) != now.get(key)
        ]
        shapes = [(count, teacher['embed_dim']), (count,)]
        differences = differences or [
            f'{name} is {found}, expected {shape}'
            for (name, found), shape in zip(
                stored.items(), shapes, strict=True
            )
            if found != shape
        ]
        if differences:
            raise StaleFeaturesError(
                f'{self.folder}: these {self.what} were made for something '
                f'else: {"; ".join(differences)}; {self.remedy}'
            )


def write_feature_cache(
    kind: type[FeatureCache],
    folder: Path,
    keys: Sequence[str],
    blocks: Iterable[np.ndarray],
    dtype: type[np.floating],
    teacher: dict[str, Any],
) -> None:
    """Writes a cache in one move.

    The folder appears under its name only when it is whole; where another
    run has written it meanwhile, that one stays.

    Args:
        kind (type[FeatureCache]): Which cache.
        folder (Path): Where to write.
        keys (Sequence[str]): What each row was made from, without line
            breaks.
        blocks (Iterable[np.ndarray]): The rows in order, (n, C3) each.
        dtype (type): Of the stored features.
        teacher (dict): Fingerprint of the teacher.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(
        tempfile.mkdtemp(prefix=f'.{folder.name}-', dir=folder.parent)
    )
    try:
        out = np.lib.format.open_memmap(
            temporary / 'features.npy',
            mode='w+',
            dtype=dtype,
            shape=(len(keys), teacher['embed_dim']),
        )
        done = 0
        for block in blocks:
            out[done : done + len(block)] = block
            done += len(block)
        out.flush()
        hashes = [key_hash(key) for key in keys]
        np.save(temporary / 'hashes.npy', np.array(hashes, dtype=np.uint64))
        (temporary / f'{kind.keys}.txt').write_text(
            ''.join(f'{key}\n' for key in keys), encoding='utf-8'
        )
        meta = dict(format=FORMAT, count=len(keys), **teacher)
        (temporary / 'meta.json').write_text(json.dumps(meta, indent=2))
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # mkdtemp shuts others out
        if not folder.exists():  # another run may have been faster
            os.replace(temporary, folder)  # noqa: PTH105
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def key_hash(key: str) -> np.uint64:
    """A 64-bit hash of a text, the same on every machine."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, 'little'))
