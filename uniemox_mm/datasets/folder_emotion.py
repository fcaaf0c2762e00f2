"""Base class of datasets with one folder a class and no official splits."""

import hashlib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mmengine.logging import print_log

from uniemox_mm.utils.json_files import read_json

from .base_emotion import BaseEmotionDataset
from .class_folders import (
    FolderLayout,
    LabelledImage,
    LayoutError,
    listing,
    scan_class_folders,
)
from .splitting import SPLITS, Ratios, split_images


class FolderEmotionDataset(BaseEmotionDataset):
    """A download with one folder a class, split by ratios.

    Where ``make_splits.py`` has written ``train.json``, ``val.json`` and
    ``test.json`` those are read. Otherwise the same splits are made in memory
    from the folders, with ``split_seed``.

    Subclasses set ``METAINFO``, ``LAYOUT``, ``RATIOS`` and ``TREE``.

    Args:
        data_root (str): The download.
        split (str | Sequence[str]): 'train', 'val' or 'test', or several,
            which are joined in this order. Defaults to 'train'.
        split_dir (str, optional): Folder of the split files, relative to
            ``data_root`` or absolute. Defaults to None: ``data_root``, where
            it has any.
        split_seed (int): Seed of the splits, where there are no split files.
            Defaults to 42.
        **kwargs: Those of :class:`BaseEmotionDataset`.

    Raises:
        ValueError: An unknown split, or a download of another layout; the
            message has the expected tree and what is there.
        FileNotFoundError: There are split files, but not this one.
    """

    LAYOUT: ClassVar[FolderLayout]
    RATIOS: ClassVar[Ratios] = {'': dict(train=0.7, val=0.1, test=0.2)}
    TREE: ClassVar[str]

    def __init__(
        self,
        data_root: str,
        split: str | Sequence[str] = 'train',
        split_dir: str | None = None,
        split_seed: int = 42,
        **kwargs,
    ) -> None:
        self.splits = [split] if isinstance(split, str) else list(split)
        unknown = [name for name in self.splits if name not in SPLITS]
        if unknown or not self.splits:
            raise ValueError(
                f'split is {split!r}; expected one or several of '
                f'{", ".join(SPLITS)}'
            )
        self.split_dir = split_dir
        self.split_seed = split_seed
        super().__init__(data_root=data_root, **kwargs)

    @classmethod
    def scan(cls, root: str | Path) -> list[LabelledImage]:
        """List a download's images, whatever their split.

        Raises:
            FileNotFoundError: There is no such folder.
            ValueError: It has another layout than this dataset.
        """
        root = Path(root)
        if not root.is_dir():
            raise FileNotFoundError(
                f'{root}: no such folder; expected\n{cls.tree(root)}'
            )
        try:
            return cls._scan(root)
        except LayoutError as error:
            raise ValueError(
                f'{root}: is not laid out as {cls.__name__}: {error}.\n'
                f'Expected\n{cls.tree(root)}\nbut it holds {listing(root)}'
            ) from None

    @classmethod
    def tree(cls, root: str | Path) -> str:
        """Describe the expected folders."""
        return f'{root}/\n' + textwrap.indent(cls.TREE, '  ')

    @classmethod
    def _scan(cls, root: Path) -> list[LabelledImage]:
        return scan_class_folders(root, cls.LAYOUT)

    def layout(self) -> str:
        """Describe the folder tree that ``data_root`` must hold."""
        return self.tree(self.data_root)

    def load_data_list(self) -> list[dict]:
        """Read the split files, or split the images in the folders.

        Returns:
            list[dict]: ``img_path`` and ``gt_label`` of each image, and
            further entries of the dataset.
        """
        folder = Path(self.data_root) / (self.split_dir or '')
        files = {name: folder / f'{name}.json' for name in SPLITS}
        if self.split_dir or any(f.is_file() for f in files.values()):
            rows = self._read_files(folder)
            content = [f.read_bytes() for f in files.values() if f.is_file()]
            digest = hashlib.sha256(b''.join(content)).hexdigest()
            split_id = f'files {digest}'
        else:
            rows = self._split_folders()
            split_id = f'seed {self.split_seed}'
        # Goes into checkpoints, for tools/test.py.
        self._metainfo['split_id'] = f'{type(self).__name__} by {split_id}'
        if not rows:
            raise ValueError(
                f'{self.data_root}: no images for {" and ".join(self.splits)}'
            )
        return rows

    def _split_folders(self) -> list[dict]:
        images = self.scan(self.data_root)
        splits = split_images(images, self.RATIOS, self.split_seed)
        chosen = [image for split in self.splits for image in splits[split]]
        print_log(
            f'{self.data_root}: no split files, so it is split with seed '
            f'{self.split_seed}: {len(chosen)} of {len(images)} images are '
            f'for {" and ".join(self.splits)}',
            logger='current',
        )
        return [
            dict(
                img_path=str(Path(self.data_root) / image.name),
                gt_label=image.label,
                **image.more,
            )
            for image in chosen
        ]

    def _read_files(self, folder: Path) -> list[dict]:
        rows = []
        for split in self.splits:
            path = folder / f'{split}.json'
            if not path.is_file():
                there = (
                    f'{folder} holds {listing(folder)}'
                    if folder.is_dir()
                    else f'{folder} does not exist'
                )
                raise FileNotFoundError(
                    f'{path}: no such split file; {there}. '
                    'tools/dataset_converters/make_splits.py '
                    f'{type(self).__name__} {self.data_root}'
                    + (f' --out {folder}' if self.split_dir else '')
                    + ' writes all three'
                )
            content = read_json(path)
            if not isinstance(content, dict):
                raise ValueError(
                    f'{path}: expected an OpenMMLab 2.0 object as '
                    'make_splits.py writes it, but found '
                    f'{type(content).__name__}'
                )
            rows += self._openmmlab_rows(path, content)
        return rows
