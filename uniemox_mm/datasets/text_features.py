"""Text features on disk, computed once for a set of captions."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Raise it when the meaning of the stored files changes.
FORMAT = 1


class StaleFeaturesError(ValueError):
    """A cache of text features was made for other captions or weights."""


class TextFeatures:
    """Memory-mapped features Lambda of the captions of a dataset.

    A folder with ``meta.json`` (what the features were made from),
    ``captions.txt`` (one a line), ``hashes.npy`` (a hash of each caption) and
    ``features.npy`` (n, C3, float32). The key of the cache is the teacher,
    checked when it is opened, and the captions, each checked when its row is
    read, so that opening it reads no annotation file.

    Args:
        folder (str | Path): The cache.
        teacher (dict): The fingerprint of the teacher in use.
        count (int): Number of samples in the dataset in use.

    Raises:
        StaleFeaturesError: The cache was made for something else, or is
            damaged; the message says what differs.
    """

    def __init__(
        self, folder: str | Path, teacher: dict[str, Any], count: int
    ) -> None:
        self.folder = Path(folder)
        self._check(teacher, count)
        self._hashes: np.ndarray | None = None
        self._features: np.ndarray | None = None

    def row(self, index: int, caption: str | None, image: str) -> np.ndarray:
        """The feature of one caption.

        Args:
            index (int): Index of the sample in the dataset.
            caption (str, optional): The sample's caption now, or None where
                it was checked before.
            image (str): The sample's image, for the message.

        Returns:
            np.ndarray: (C3,) float32, a copy.

        Raises:
            StaleFeaturesError: The row was made from another caption.
        """
        if self._features is None or self._hashes is None:
            self._hashes = np.load(self.folder / 'hashes.npy', mmap_mode='r')
            self._features = np.load(
                self.folder / 'features.npy', mmap_mode='r'
            )
        if caption is not None and self._hashes[index] != caption_hash(
            caption
        ):
            raise StaleFeaturesError(
                f'{self.folder}: row {index} was made from the caption '
                f'{self._stored_caption(index)!r}, but {image} now has '
                f'{caption!r}; {self._remedy}'
            )
        return np.array(self._features[index])

    def __getstate__(self) -> dict:
        # Pickling a memory map would copy the whole file into each worker.
        return {**self.__dict__, '_hashes': None, '_features': None}

    @property
    def _remedy(self) -> str:
        return (
            'remove the folder to have it made anew, or give the cache of '
            'this run another path'
        )

    def _check(self, teacher: dict[str, Any], count: int) -> None:
        try:
            meta = json.loads((self.folder / 'meta.json').read_text())
            stored = np.load(self.folder / 'features.npy', mmap_mode='r').shape
        except (OSError, ValueError) as error:
            raise StaleFeaturesError(
                f'{self.folder}: not a cache of text features ({error}); '
                f'{self._remedy}'
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
        shape = (count, teacher['embed_dim'])
        if not differences and stored != shape:
            differences = [f'features.npy is {stored}, expected {shape}']
        if differences:
            raise StaleFeaturesError(
                f'{self.folder}: these text features were made for something '
                f'else: {"; ".join(differences)}; {self._remedy}'
            )

    def _stored_caption(self, index: int) -> str:
        with (self.folder / 'captions.txt').open(encoding='utf-8') as lines:
            for number, line in enumerate(lines):
                if number == index:
                    return line.rstrip('\n')
        return ''


def write_text_features(
    folder: str | Path,
    captions: Sequence[str],
    encode: Callable[[list[str]], np.ndarray],
    teacher: dict[str, Any],
    batch_size: int = 256,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Computes the features of captions and writes them in one move.

    Equal captions are encoded once. The folder appears under its name only
    when it is whole; where another run has written it meanwhile, that one
    stays.

    Args:
        folder (str | Path): Where to write.
        captions (Sequence[str]): One caption a sample, without line breaks.
        encode (Callable): Captions -> features (n, C3).
        teacher (dict): Fingerprint of the teacher.
        batch_size (int): Captions encoded at a time. Defaults to 256.
        progress (Callable): Called with the number of captions encoded.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    distinct = {
        caption: i for i, caption in enumerate(dict.fromkeys(captions))
    }
    texts = list(distinct)
    encoded = np.empty((len(texts), teacher['embed_dim']), np.float32)
    for start in range(0, len(texts), batch_size):
        batch = texts[start : start + batch_size]
        encoded[start : start + len(batch)] = encode(batch)
        progress(start + len(batch))
    temporary = Path(
        tempfile.mkdtemp(prefix=f'.{folder.name}-', dir=folder.parent)
    )
    try:
        rows = np.array([distinct[c] for c in captions], dtype=np.int64)
        out = np.lib.format.open_memmap(
            temporary / 'features.npy',
            mode='w+',
            dtype=np.float32,
            shape=(len(captions), encoded.shape[1]),
        )
        for start in range(0, len(rows), 4096):
            part = rows[start : start + 4096]
            out[start : start + len(part)] = encoded[part]
        out.flush()
        hashes = [caption_hash(c) for c in captions]
        np.save(temporary / 'hashes.npy', np.array(hashes, dtype=np.uint64))
        (temporary / 'captions.txt').write_text(
            ''.join(f'{c}\n' for c in captions), encoding='utf-8'
        )
        meta = dict(format=FORMAT, count=len(captions), **teacher)
        (temporary / 'meta.json').write_text(json.dumps(meta, indent=2))
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # mkdtemp shuts others out
        if not folder.exists():  # another run may have been faster
            os.replace(temporary, folder)  # noqa: PTH105
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def caption_hash(caption: str) -> np.uint64:
    """A 64-bit hash of a caption, the same on every machine."""
    digest = hashlib.blake2b(caption.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, 'little'))
