"""Cached features of a frozen teacher in one safetensors file."""

import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.check_same_settings import check_same_settings

from ..errors import StaleFeaturesError

if TYPE_CHECKING:
    from ..emoset import EmoSet

# Raise it when the meaning of the stored tensors changes.
FORMAT = 2
FILE = 'features.safetensors'


class FeatureCache:
    """Features of the samples of a dataset, read row by row.

    The file ``features.safetensors`` in a folder. It has the tensors
    ``features`` (n, C3), ``keys`` (UTF-8: the text that each row belongs to,
    one a line) and ``hashes`` (n,) of them, and the fingerprint of the
    teacher in its metadata. The fingerprint is checked when the file is
    opened, the key of a row when it is read, so that opening reads nothing
    else. Every process opens the file for itself; it is memory-mapped.

    Args:
        folder (str | Path): The cache.
        teacher (dict): The fingerprint of the teacher in use.
        count (int): Number of samples in the dataset in use.

    Raises:
        StaleFeaturesError: The cache was computed for something else, or is
            damaged; the message says what differs.
    """

    what: ClassVar[str]
    key: ClassVar[str]

    def __init__(
        self, folder: str | Path, teacher: dict[str, Any], count: int
    ) -> None:
        self.path = Path(folder) / FILE
        self._teacher = teacher
        self._count = count
        self._file: Any = None
        self._open()

    def row(
        self, index: int, key: str | None, owner: str = 'the dataset'
    ) -> np.ndarray:
        """Return the feature of one sample.

        Args:
            index (int): Index of the sample in the dataset.
            key (str, optional): Its key now, or None where it was checked
                before.
            owner (str): The image that has the key, for the message.

        Returns:
            np.ndarray: (C3,), a copy.

        Raises:
            StaleFeaturesError: The row was computed for another key.
        """
        self._open()
        if key is not None and self._hashes[index] != key_hash(key):
            text = self._file.get_tensor('keys').tobytes().decode()
            before = text.split('\n')[index]
            raise StaleFeaturesError(
                f'{self.path}: row {index} was made from the {self.key} '
                f'{before!r}, but {owner} now has {key!r}; '
                f'{self.remedy}'
            )
        return self._features[index]

    @property
    def remedy(self) -> str:
        """The end of messages about a cache that does not fit."""
        return (
            f'remove {self.path.parent} to compute it again, or give the '
            'cache of this run another folder'
        )

    def __getstate__(self) -> dict:
        # The open file cannot be pickled; each worker opens its own.
        closed = dict(_file=None, _features=None, _hashes=None)
        return {**self.__dict__, **closed}

    def _open(self) -> None:
        if self._file is not None:
            return
        try:
            file = safe_open(self.path, 'np')
            stored = json.loads(file.metadata()['settings'])
            features = file.get_slice('features')
            hashes = file.get_slice('hashes')
        except (
            OSError,
            SafetensorError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise StaleFeaturesError(
                f'{self.path}: not a cache of {self.what} ({error}); '
                f'{self.remedy}'
            ) from None
        now = dict(format=FORMAT, count=self._count, **self._teacher)
        check_same_settings(
            stored, now, self.path, self.remedy, StaleFeaturesError
        )
        expected = [self._count, self._teacher['embed_dim']]
        shapes = (features.get_shape(), hashes.get_shape())
        if shapes != (expected, expected[:1]):
            raise StaleFeaturesError(
                f'{self.path}: the shapes of features and hashes are '
                f'{shapes}, expected {(expected, expected[:1])}; {self.remedy}'
            )
        self._file, self._features, self._hashes = file, features, hashes


def write_features(
    folder: str | Path,
    keys: Sequence[str],
    features: np.ndarray,
    teacher: dict[str, Any],
) -> None:
    """Write a cache, all or nothing.

    If another run has written it meanwhile, that one stays.

    Args:
        folder (str | Path): The cache.
        keys (Sequence[str]): Key of each row, without line breaks.
        features (np.ndarray): The rows, (n, C3).
        teacher (dict): Fingerprint of the teacher.
    """
    settings = dict(format=FORMAT, count=len(keys), **teacher)
    tensors = dict(
        features=features,
        hashes=np.array([key_hash(key) for key in keys], np.uint64),
        keys=np.frombuffer(
            ''.join(f'{key}\n' for key in keys).encode(), np.uint8
        ),
    )
    content = save(tensors, dict(settings=json.dumps(settings)))
    if not has_features(folder):
        with atomic_file(Path(folder) / FILE, 'wb') as file:
            file.write(content)


def has_features(folder: str | Path) -> bool:
    """Return whether a cache is there, whatever it was computed for."""
    return (Path(folder) / FILE).exists()


def wait_for_features(folder: str | Path, warn: Callable[[str], None]) -> None:
    """Wait until the first process has written a cache.

    Args:
        folder (str | Path): The cache.
        warn (Callable): Takes a message, once a minute.
    """
    wait_until(
        lambda: has_features(folder),
        lambda: warn(
            f'Waiting for the first process to write {folder}, which must be '
            'on a file system that all nodes see.'
        ),
    )


def wait_until(done: Callable[[], bool], warn: Callable[[], None]) -> None:
    """Wait without a barrier, which would time out on much data."""
    for second in itertools.count():
        if done():
            return
        if second % 60 == 30:
            warn()
        time.sleep(1)


def cache_folder(dataset: 'EmoSet', kind: str) -> Path:
    """Return the default cache of a dataset's features.

    Args:
        dataset (EmoSet): The dataset.
        kind (str): 'text_features' or 'image_features'.
    """
    name = f'{kind}_{"+".join(dataset.splits)}'
    if dataset.fraction < 1:
        name += f'_fraction{dataset.fraction}_seed{dataset.seed}'
    return Path(dataset.data_root) / name


def check_writable(folder: Path, kind: str) -> None:
    """Refuse a folder that cannot be written, before the work is done."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(existing, os.W_OK):
        raise PermissionError(
            f'{folder}: the {kind.replace("_", " ")} cannot be written there; '
            f'give default_hooks.{kind}.folder another path'
        )


def key_hash(key: str) -> np.uint64:
    """Return a 64-bit hash of a text, the same on every machine."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, 'little'))
