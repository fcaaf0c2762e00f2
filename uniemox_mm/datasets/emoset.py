"""EmoSet-118K: emotional images with attributes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmpretrain.registry import DATASETS

from uniemox_mm.datasets.features.image_features import ImageFeatures
from uniemox_mm.datasets.features.text_features import TextFeatures
from uniemox_mm.utils.json_files import read_json

from .base_emotion import BaseEmotionDataset, image_key
from .captions import describe
from .categories import EMOSET_CATEGORIES, EMOSET_POLARITIES
from .class_folders import listing
from .errors import BadSampleError


@DATASETS.register_module()
class EmoSet(BaseEmotionDataset):
    """The `EmoSet-118K <https://vcc.tech/EmoSet>`_ dataset (ICCV 2023).

    118,102 images: about 94,481 for training, 5,905 for validation, 17,716
    for testing. ::

        data_root
        ├── info.json                         (optional)
        ├── train.json  val.json  test.json
        ├── image/<emotion>/<emotion>_00000.jpg ...
        └── annotation/<emotion>/<emotion>_00000.json ...

    A split file is any of

    - rows ``[emotion, image, annotation]``, as in the released zip,
    - rows ``[emotion, id, image, annotation]``, as in its README,
    - OpenMMLab 2.0: ``{"metainfo": {"classes": [...]}, "data_list":
      [{"img_path": ..., "gt_label": ..., "caption": ..., "attributes":
      {...}, "persons": [[x1, y1, x2, y2, score], ...]}, ...]}``, the last
      three optional.

    Args:
        data_root (str): The folder above.
        split (str | Sequence[str]): Name of a split file without its ending,
            or several, which are joined in this order. Defaults to 'train'.
        num_classes (int): 8 emotions, or 2 polarities (the first four
            emotions are positive, class 0). Defaults to 8.
        caption (dict, optional): Gives every sample a ``caption`` written
            by :func:`describe`, with the options ``emotion`` (bool, whether
            to name the emotion, True by default). A caption in the split
            file is taken as it is, unless the file's ``metainfo.caption``
            says that it was written with other options. None, the default,
            gives none; then no annotation file is read.
        **kwargs: Those of :class:`BaseEmotionDataset`.

    Example:
        >>> EmoSet('data/EmoSet-118K', split=['train', 'val'],
        ...        caption=dict(emotion=True))  # doctest: +SKIP
    """

    METAINFO = {'classes': EMOSET_CATEGORIES}

    def __init__(
        self,
        data_root: str,
        split: str | Sequence[str] = 'train',
        num_classes: int = 8,
        caption: dict | None = None,
        **kwargs,
    ) -> None:
        if num_classes not in (2, 8):
            raise ValueError(
                f'EmoSet has 8 emotions or 2 polarities, not {num_classes}'
            )
        unknown = set(caption or {}) - {'emotion'}
        if unknown:
            raise ValueError(
                f'unknown caption options {sorted(unknown)}; expected '
                "'emotion'"
            )
        self.splits = [split] if isinstance(split, str) else list(split)
        if not self.splits:
            raise ValueError('split must name at least one split file')
        self.num_classes = num_classes
        self.caption = caption
        self.text_features: TextFeatures | None = None
        self.image_features: ImageFeatures | None = None
        if num_classes == 2:
            kwargs.setdefault('metainfo', dict(classes=EMOSET_POLARITIES))
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the split files; annotation files are left for later.

        Returns:
            list[dict]: ``img_path`` and ``gt_label`` of each image, with
            ``emotion`` and ``annotation`` or ``caption``, ``attributes`` and
            ``persons``, depending on the kind of split file.

        Raises:
            FileNotFoundError: A split file is missing.
            ValueError: A split file or ``info.json`` is not EmoSet's.
        """
        check_info(Path(self.data_root))
        data_list = []
        for split in self.splits:
            path = Path(self.data_root) / f'{split}.json'
            if not path.is_file():
                raise FileNotFoundError(
                    f'{path}: no such split file; expected\n{self.layout()}\n'
                    f'but {self.data_root} holds {listing(self.data_root)}'
                )
            data_list += self._read_split(path)
        if self.num_classes == 2:
            for info in data_list:
                info['gt_label'] //= 4
        return data_list

    def layout(self) -> str:
        """Describe the folder tree that ``data_root`` must hold."""
        files = '  '.join(f'{split}.json' for split in self.splits)
        return (
            f'{self.data_root}/\n  {files}\n'
            '  image/<emotion>/<emotion>_00000.jpg ...\n'
            '  annotation/<emotion>/<emotion>_00000.json ...'
        )

    def attach_text_features(self, features: TextFeatures) -> None:
        """Give every sample its row of ``features`` as ``text_feature``.

        Args:
            features (TextFeatures): One row a sample, in the order of this
                dataset; each row is checked against the sample's caption
                when it is read.
        """
        self.text_features = features
        # Shared, so that what one worker has checked all know.
        self._checked = torch.zeros(len(self), dtype=torch.bool)
        self._checked.share_memory_()

    def attach_image_features(self, features: ImageFeatures) -> None:
        """Give every sample its row of ``features`` as ``image_feature``.

        Args:
            features (ImageFeatures): One row a sample, in the order of this
                dataset; each row is checked against the image's path when it
                is read.
        """
        self.image_features = features

    def image_key(self, idx: int) -> str:
        """Return the key of a sample's image in a cache of features."""
        path = self.get_data_info(idx)['img_path']
        return image_key(path, self.data_root)

    def complete(self, info: dict) -> dict:
        """Add the caption, and the features that are attached.

        With features the caption is written once a run, to check its row:
        annotation files are not opened again in every epoch.
        """
        index = info['sample_idx']
        if self.image_features is not None:
            key = image_key(info['img_path'], self.data_root)
            info['image_feature'] = self.image_features.row(index, key)
        if self.caption is None:
            return info
        checked = self.text_features is not None and self._checked[index]
        if 'caption' not in info and not checked:
            info['caption'] = self._write_caption(info)
        if self.text_features is not None:
            info['text_feature'] = self.text_features.row(
                index, info.get('caption'), info['img_path']
            )
            self._checked[index] = True
        return info

    def caption_of(self, idx: int) -> str:
        """Return the caption of a sample, without reading its image."""
        if self.caption is None:
            raise ValueError('this dataset has no captions: set caption=')
        info = self.get_data_info(idx)
        if 'caption' in info:
            return info['caption']
        return self._write_caption(info)

    def caption_or_blank(self, idx: int) -> str:
        """Like :meth:`caption_of`, blank for a sample that is skipped."""
        try:
            return self.caption_of(idx)
        except BadSampleError:
            if self.on_bad_sample == 'error':
                raise
            return ''

    def _write_caption(self, info: dict) -> str:
        assert self.caption is not None
        emotion = info['emotion']
        source = info['img_path']
        attributes = info.get('attributes')
        if not isinstance(attributes, dict | None):
            raise BadSampleError(
                f'{source}: its attributes must be an object, but are '
                f'{attributes!r}'
            )
        if attributes is None and 'annotation' in info:
            source = info['annotation']
            attributes = self.read_sample_json(source)
            if attributes.get('emotion', emotion) != emotion:
                raise BadSampleError(
                    f'{source}: its emotion is {attributes["emotion"]!r}, '
                    f'but the split file says {emotion!r}'
                )
        named = emotion if self.caption.get('emotion', True) else None
        try:
            return describe(attributes or {}, named)
        except ValueError as error:
            raise BadSampleError(f'{source}: {error}') from None

    def _read_split(self, path: Path) -> list[dict]:
        content = read_json(path)
        if content == []:
            raise ValueError(f'{path}: expected rows, but it is empty')
        if isinstance(content, dict):
            rows = self._openmmlab_rows(path, content)
            made_with = (content.get('metainfo') or {}).get('caption')
            asked_for = {'emotion': True, **(self.caption or {})}
            for row in rows:
                row['emotion'] = EMOSET_CATEGORIES[row['gt_label']]
                if made_with not in (None, asked_for) and 'attributes' in row:
                    row.pop('caption', None)  # written from them, otherwise
                elif self.caption is not None and 'caption' in row:
                    row.pop('attributes', None)  # nothing reads them then
            return rows
        if not isinstance(content, list):
            raise ValueError(
                f'{path}: expected a list of rows or an OpenMMLab 2.0 '
                f'object, but found {type(content).__name__}'
            )
        root = Path(self.data_root)
        return [
            dict(
                img_path=str(root / image),
                gt_label=EMOSET_CATEGORIES.index(emotion),
                emotion=emotion,
                annotation=str(root / annotation),
            )
            for emotion, image, annotation in (
                parse_row(path, i, row) for i, row in enumerate(content)
            )
        ]


class EmoSetRow(NamedTuple):
    """A row of EmoSet's split files; paths are relative to the data root."""

    emotion: str
    image: str
    annotation: str


def parse_row(path: Path, number: int, row: object) -> EmoSetRow:
    """Parse a row of a split file.

    Args:
        path (Path): The split file, for the message.
        number (int): Number of the row, from 0.
        row (object): ``[emotion, image, annotation]``, as in the released
            zip, or ``[emotion, id, image, annotation]``, as in its README.

    Returns:
        EmoSetRow: Its content.

    Raises:
        ValueError: It is neither.
    """
    if (
        not isinstance(row, list)
        or len(row) not in (3, 4)
        or not all(isinstance(row[i], str) for i in (0, -2, -1))
    ):
        raise ValueError(
            f'{path}: row {number} is {row!r}; expected [emotion, image, '
            'annotation] or [emotion, id, image, annotation]'
        )
    emotion, image, annotation = row[0], row[-2], row[-1]
    if emotion not in EMOSET_CATEGORIES:
        raise ValueError(
            f'{path}: row {number} has the emotion {emotion!r}; expected one '
            f'of {", ".join(EMOSET_CATEGORIES)}'
        )
    return EmoSetRow(emotion, image, annotation)


def check_info(root: Path) -> None:
    """Check the order of the classes in ``info.json``, if there is one.

    Raises:
        ValueError: The order is not EmoSet's.
    """
    path = root / 'info.json'
    if not path.is_file():
        return
    info = read_json(path)
    # Flat in the released zip, one table an attribute on GitHub.
    table = info.get('emotion', info) if isinstance(info, dict) else {}
    label2idx = table.get('label2idx') if isinstance(table, dict) else None
    expected = {name: i for i, name in enumerate(EMOSET_CATEGORIES)}
    if label2idx != expected:
        raise ValueError(
            f'{path}: its label2idx is {label2idx}, but EmoSet has '
            f'{expected}; expected it at the top or under "emotion"'
        )
