"""Text features on disk, computed once for a set of captions."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .feature_cache import (
    FeatureCache,
    StaleFeaturesError,
    write_feature_cache,
)


class TextFeatures(FeatureCache):
    """Memory-mapped features Lambda of the captions of a dataset, float32.

    Args and errors are those of :class:`FeatureCache`.
    """

    what = 'text features'
    keys = 'captions'

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
        before = self.differs(index, caption) if caption is not None else None
        if before is not None:
            raise StaleFeaturesError(
                f'{self.folder}: row {index} was made from the caption '
                f'{before!r}, but {image} now has {caption!r}; {self.remedy}'
            )
        return self.read(index)


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
    distinct = {
        caption: i for i, caption in enumerate(dict.fromkeys(captions))
    }
    texts = list(distinct)
    encoded = np.empty((len(texts), teacher['embed_dim']), np.float32)
    for start in range(0, len(texts), batch_size):
        batch = texts[start : start + batch_size]
        encoded[start : start + len(batch)] = encode(batch)
        progress(start + len(batch))
    rows = np.array([distinct[c] for c in captions], dtype=np.int64)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(rows), 4096):
            yield encoded[rows[start : start + 4096]]

    write_feature_cache(
        TextFeatures, Path(folder), captions, blocks(), np.float32, teacher
    )
