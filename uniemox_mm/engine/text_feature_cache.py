"""Computes the text features of a dataset's captions, once."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from uniemox_mm.datasets import EmoSet, write_text_features


def cache_folder(dataset: EmoSet) -> Path:
    """Where the text features of a dataset are looked for by default."""
    name = f'text_features_{"+".join(dataset.splits)}'
    if dataset.fraction < 1:
        name += f'_fraction{dataset.fraction}_seed{dataset.seed}'
    return Path(dataset.data_root) / name


def write_cache(
    folder: Path,
    dataset: EmoSet,
    teacher: Any,
    batch_size: int,
    log: Callable[[str], None],
) -> None:
    """Encodes all captions of a dataset and keeps the features.

    Args:
        folder (Path): Where to write, all or nothing.
        dataset (EmoSet): A dataset with captions.
        teacher (CLIPTeacher): Encodes them.
        batch_size (int): Captions encoded at a time.
        log (Callable): Takes a message.

    Raises:
        PermissionError: The folder cannot be written.
    """
    if not os.access(_existing(folder.parent), os.W_OK):
        raise PermissionError(
            f'{folder}: the text features cannot be written there; give '
            'default_hooks.text_features.folder another path'
        )
    count = len(dataset)
    log(
        f'Computing the text features of {count} captions, once, into {folder}'
    )
    with ThreadPoolExecutor(16) as pool:  # waits for the disk, mostly
        reading = pool.map(dataset.caption_or_blank, range(count))
        captions = list(tqdm(reading, 'captions', count, leave=False))
    with tqdm(desc='text features', leave=False) as bar:
        write_text_features(
            folder,
            captions,
            lambda batch: teacher.encode_text(batch).cpu().numpy(),
            teacher.text_fingerprint(),
            batch_size,
            lambda done: bar.update(done - bar.n),
        )


def _existing(path: Path) -> Path:
    """The nearest folder above that is there already."""
    return path if path.exists() else _existing(path.parent)
