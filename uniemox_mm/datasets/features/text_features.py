"""The teacher's features of captions: reading and computing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from .feature_cache import FeatureCache, check_writable, write_features

if TYPE_CHECKING:
    from ..emoset import EmoSet


class TextFeatures(FeatureCache):
    """Features Lambda of the captions of a dataset, float32.

    Args and errors are those of :class:`FeatureCache`.
    """

    what = 'text features'
    key = 'caption'


def compute_text_features(
    folder: Path,
    dataset: 'EmoSet',
    teacher: Any,
    batch_size: int,
    log: Callable[[str], None],
) -> None:
    """Encode all captions of a dataset and write the cache.

    Equal captions are encoded once.

    Args:
        folder (Path): The cache.
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
    texts = list(dict.fromkeys(captions))
    encoded = np.empty((len(texts), teacher.embed_dim), np.float32)
    for start in tqdm(
        range(0, len(texts), batch_size), 'text features', leave=False
    ):
        batch = texts[start : start + batch_size]
        features = teacher.encode_text(batch).cpu().numpy()
        encoded[start : start + len(batch)] = features
    position = {text: i for i, text in enumerate(texts)}
    rows = encoded[[position[caption] for caption in captions]]
    write_features(folder, captions, rows, teacher.text_fingerprint())
