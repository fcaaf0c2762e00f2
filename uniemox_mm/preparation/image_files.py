"""Reads every file of a download once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from uniemox_mm.datasets.decoding import decode

from .color_histograms import count_colors
from .images import check_image

_QUALITY = 95  # of nothing, since the images are only checked


class ImageFiles(Dataset):
    """Chunks of a list of images, read by worker processes.

    Args:
        root (Path): What the names are relative to.
        names (Sequence[str]): The images.
        size (int): Images in a chunk.
        colors (bool): Whether to count the colors, for which all pixels
            must be decoded.
    """

    def __init__(
        self, root: Path, names: Sequence[str], size: int, colors: bool
    ) -> None:
        self.root = root
        self.names = names
        self.size = size
        self.colors = colors

    def __len__(self) -> int:
        return -(-len(self.names) // self.size)

    def names_of(self, chunk: int) -> Sequence[str]:
        """The images of a chunk."""
        return self.names[chunk * self.size : (chunk + 1) * self.size]

    def __getitem__(self, chunk: int) -> list[dict]:
        """Reads a chunk.

        Returns:
            list[dict]: For each image ``problem`` (None where it is good),
            ``sha256`` of the file, and ``colors``: 3 x 256 counts, or None
            where they are not asked for. Of a broken one only the problem.
        """
        return [self._read(self.root / name) for name in self.names_of(chunk)]

    def _read(self, path: Path) -> dict:
        try:
            content = check_image(path, None, _QUALITY).content
            counts = None
            if self.colors:
                counts = count_colors(decode(content)).tolist()
        except ValueError as error:
            return dict(problem=str(error))
        except Exception as error:  # decoders raise what they like
            kind = type(error).__name__
            return dict(problem=f'not a readable image ({kind}: {error})')
        digest = hashlib.sha256(content).hexdigest()
        return dict(problem=None, sha256=digest, colors=counts)
