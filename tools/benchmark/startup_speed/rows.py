"""A prepared data set with as many rows as EmoSet, in seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from uniemox_mm.datasets.captions import describe
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.utils.json_files import read_metainfo, write_openmmlab

_IMAGES = 64  # real files, to which all rows refer
_WIDTH, _HEIGHT = 96, 72  # pixels
_SCENES = ('beach', 'street', 'kitchen', 'forest_path', 'stadium', 'pier')
_ACTIONS = ('running', 'dancing', 'reading', 'push up', 'cooking')
_FACES = ('happy', 'sad', 'angry', 'fear', 'surprise', 'disgust')
_OBJECTS = ('Dog', 'Tree', 'Car', 'Flower', 'Boat', 'Chair', 'Guitar')


def write_rows(root: str | Path, rows: int, val_share: float = 0.06) -> Path:
    """Writes a data set as ``prepare_emoset.py`` does, with drawn images.

    Attributes, captions and boxes are as many and as long as EmoSet's. A
    folder that was written before with as many rows is taken as it is.

    Args:
        root (str | Path): The folder.
        rows (int): Number of rows of train and val together.
        val_share (float): Share of them in val. Defaults to 0.06.

    Returns:
        Path: The folder, with ``train.json``, ``val.json`` and the images.
    """
    root = Path(root)
    val = round(val_share * rows)
    # val.json is written last, so its being there says that all is.
    for split, count in (('train', rows - val), ('val', val)):
        path = root / f'{split}.json'
        if path.is_file() and read_metainfo(path).get('rows') == count:
            continue
        _draw_images(root)
        metainfo = dict(
            dataset='EmoSet',
            split=split,
            rows=count,
            classes=EMOSET_CATEGORIES,
            caption=dict(emotion=True),
        )
        write_openmmlab(path, metainfo, _entries(split, count))
    return root


def _draw_images(root: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(_IMAGES):
        pixels = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
        path = root / _name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def _name(number: int) -> str:
    emotion = EMOSET_CATEGORIES[number % len(EMOSET_CATEGORIES)]
    return f'image/{emotion}/{emotion}_{number % _IMAGES:05d}.jpg'


def _entries(split: str, count: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(len(split))
    for number in range(count):
        label = number % len(EMOSET_CATEGORIES)
        attributes: dict[str, Any] = dict(
            brightness=round(0.1 * int(rng.integers(0, 11)), 1),
            colorfulness=round(0.1 * int(rng.integers(0, 11)), 1),
        )
        # About the shares of EmoSet's images that have them.
        if rng.random() < 0.5:
            attributes['scene'] = str(rng.choice(_SCENES))
        if rng.random() < 0.3:
            attributes['facial_expression'] = str(rng.choice(_FACES))
            attributes['human_action'] = str(rng.choice(_ACTIONS))
        if rng.random() < 0.6:
            few = rng.choice(_OBJECTS, rng.integers(1, 4), replace=False)
            attributes['object'] = few.tolist()
        yield dict(
            img_path=_name(number),
            gt_label=label,
            width=_WIDTH,
            height=_HEIGHT,
            attributes=attributes,
            caption=describe(attributes, EMOSET_CATEGORIES[label]),
            persons=_boxes(rng),
        )


def _boxes(rng: np.random.Generator) -> list[list[float]]:
    """Boxes with a score, one and a half an image, hundredths of a pixel."""
    inside = (_WIDTH - 2, _HEIGHT - 2) * 2
    corners = rng.random((rng.poisson(1.5), 4)) * inside
    return [
        [
            round(min(left, right), 2),
            round(min(top, bottom), 2),
            round(max(left, right) + 1, 2),
            round(max(top, bottom) + 1, 2),
            round(rng.random(), 4),
        ]
        for left, top, right, bottom in corners.tolist()
    ]
