"""Computes the text features of a dataset's captions, once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from uniemox_mm.datasets import EmoSet, write_text_features

from .feature_folders import check_writable


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
    check_writable(folder, 'text_features')
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
