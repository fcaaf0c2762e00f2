"""Checks EmoSet's samples and writes their images anew."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.data import Dataset

from uniemox_mm.datasets.captions import describe
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.emoset import EmoSetRow
from uniemox_mm.utils.atomic_files import atomic_file

from .emoset_annotation import read_attributes
from .emoset_lists import problem
from .images import check_image

LMDB = 'image.lmdb'
IMAGES = ('folder', 'lmdb', 'original')


class EmoSetSamples(Dataset):
    """Chunks of EmoSet, checked as they are read.

    Args:
        root (Path): The download.
        out (Path): The folder of the result.
        rows (Mapping[str, Sequence[EmoSetRow]]): The rows of each split.
        chunks (Sequence[tuple[str, range]]): A split and which of its rows.
        images (str): 'folder' writes images below ``out``, 'lmdb' hands
            their bytes on, 'original' leaves them where they are.
        short_side (int, optional): Upper bound of the shorter side; None
            leaves all images as they are.
        quality (int): JPEG quality of images that become smaller.
    """

    def __init__(
        self,
        root: Path,
        out: Path,
        rows: Mapping[str, Sequence[EmoSetRow]],
        chunks: Sequence[tuple[str, range]],
        images: str,
        short_side: int | None,
        quality: int,
    ) -> None:
        self.root = root
        self.out = out
        self.rows = rows
        self.chunks = chunks
        self.images = images
        self.short_side = short_side
        self.quality = quality

    def rows_of(self, chunk: int) -> int:
        """Number of rows in a chunk."""
        return len(self.chunks[chunk][1])

    def __getitem__(self, chunk: int) -> tuple[list[dict], dict[str, bytes]]:
        """Reads a chunk.

        Returns:
            tuple[list[dict], dict[str, bytes]]: For each row ``entry`` (of
            the annotation file; None where the image is left out), ``name``
            of the image in the download, its ``scale`` (of width and
            height), and ``problems``; and for an LMDB its keys and values.
        """
        blobs: dict[str, bytes] = {}
        split, numbers = self.chunks[chunk]
        rows = self.rows[split]
        return [self._read(rows[i], blobs) for i in numbers], blobs

    def _read(self, row: EmoSetRow, blobs: dict[str, bytes]) -> dict:
        path = self.root / row.image
        try:
            if self.images == 'lmdb' and not row.image.isascii():
                raise ValueError('MMEngine reads ASCII names only from LMDB')
            image = check_image(path, self.short_side, self.quality)
        except ValueError as error:
            left_out = problem(path, str(error), 'the row is left out')
            return dict(entry=None, name=row.image, problems=[left_out])
        name = self._store(row.image + image.suffix, image.content, blobs)
        attributes, problems = read_attributes(self.root, row)
        width, height = image.size
        entry = dict(
            img_path=name,
            gt_label=EMOSET_CATEGORIES.index(row.emotion),
            width=width,
            height=height,
            attributes=attributes,
            caption=describe(attributes, row.emotion),
        )
        scale = (
            width / image.original_size[0],
            height / image.original_size[1],
        )
        return dict(
            entry=entry, name=row.image, scale=scale, problems=problems
        )

    def _store(
        self, name: str, content: bytes, blobs: dict[str, bytes]
    ) -> str:
        """Puts an image where it belongs.

        Returns:
            str: Its path relative to ``out``.
        """
        if self.images == 'original':
            return Path(os.path.relpath(self.root / name, self.out)).as_posix()
        if self.images == 'lmdb':
            blobs[name] = content
            return f'{LMDB}/{name}'
        with atomic_file(self.out / name, 'wb', sync=False) as file:
            file.write(content)
        return name
