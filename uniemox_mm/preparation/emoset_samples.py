"""Check EmoSet's samples: images, annotations and person boxes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torch.utils.data import Dataset

from uniemox_mm.datasets.base_emotion import BaseEmotionDataset
from uniemox_mm.datasets.captions import ATTRIBUTES, describe
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.emoset import EmoSetRow
from uniemox_mm.datasets.errors import BadSampleError
from uniemox_mm.datasets.persons import check_persons
from uniemox_mm.utils.atomic_files import atomic_file

from .check_image import check_image
from .emoset_lists import problem

LMDB = 'image.lmdb'
IMAGES = ('folder', 'lmdb', 'original')


@dataclass
class EmoSetSamples(Dataset):
    """EmoSet's samples, checked as they are read.

    Args:
        root (Path): The download.
        out (Path): The folder of the result.
        rows (Sequence[EmoSetRow]): Their rows in the split files.
        images (str): 'folder' writes images below ``out``, 'lmdb' returns
            their bytes, 'original' leaves them where they are.
        short_side (int, optional): Upper bound of the shorter side in
            pixels; None leaves all images as they are.
        quality (int): JPEG quality of images that are scaled down.
    """

    root: Path
    out: Path
    rows: Sequence[EmoSetRow]
    images: str
    short_side: int | None
    quality: int

    def __getitem__(self, index: int) -> dict:
        """Read a sample.

        Returns:
            dict: ``entry`` of the annotation file (None where the image is
            left out), ``name`` of the image in the download, ``scale`` of
            its width and height, ``problems``, and for an LMDB ``content``
            of the image.
        """
        row = self.rows[index]
        path = self.root / row.image
        try:
            if self.images == 'lmdb' and not row.image.isascii():
                raise ValueError('MMEngine reads ASCII names only from LMDB')
            image = check_image(path, self.short_side, self.quality)
        except ValueError as error:
            left_out = problem(path, str(error), 'the row is left out')
            return dict(entry=None, name=row.image, problems=[left_out])
        attributes, problems = read_attributes(self.root, row)
        width, height = image.size
        before = image.original_size
        record = dict(
            entry=dict(
                img_path=self._store(row.image + image.suffix, image.content),
                gt_label=EMOSET_CATEGORIES.index(row.emotion),
                width=width,
                height=height,
                attributes=attributes,
                caption=describe(attributes, row.emotion),
            ),
            name=row.image,
            scale=(width / before[0], height / before[1]),
            problems=problems,
        )
        if self.images == 'lmdb':
            record['content'] = image.content
        return record

    def _store(self, name: str, content: bytes) -> str:
        """Write an image of 'folder'; return its path relative to ``out``."""
        if self.images == 'original':
            return Path(os.path.relpath(self.root / name, self.out)).as_posix()
        if self.images == 'lmdb':
            return f'{LMDB}/{name}'
        with atomic_file(self.out / name, 'wb', sync=False) as file:
            file.write(content)
        return name


def read_attributes(root: Path, row: EmoSetRow) -> tuple[dict, list[dict]]:
    """Read the attributes of an image.

    An annotation that belongs to another image or emotion is not used at
    all; of others only the attributes that are wrong are left out.

    Returns:
        tuple[dict, list[dict]]: Attributes that :func:`describe` takes, and
        the problems.
    """
    path = root / row.annotation
    unused = 'kept, without attributes'
    try:
        annotation = BaseEmotionDataset.read_sample_json(path)
    except BadSampleError as error:
        what = str(error).removeprefix(f'{path}: ')
        return {}, [problem(path, what, unused)]
    except OSError as error:
        return {}, [problem(path, str(error), unused)]
    image = PurePosixPath(row.image).stem
    for key, expected in (('emotion', row.emotion), ('image_id', image)):
        found = annotation.get(key, expected)
        if found != expected:
            what = f'its {key} is {found!r}, but its row is of {expected!r}'
            return {}, [problem(path, what, unused)]
    good, problems = {}, []
    for name in ATTRIBUTES:
        value = annotation.get(name)
        if value is None:
            continue
        try:
            describe({name: value}).encode()  # half a character fails
        except ValueError as error:
            problems.append(problem(path, str(error), f'kept, without {name}'))
        else:
            good[name] = value
    return good, problems


def fit_boxes(
    boxes: Mapping[str, list], source: str, record: dict
) -> tuple[list | None, list[dict]]:
    """Look up the boxes of an image and scale them to its new size.

    Args:
        boxes (Mapping[str, list]): Name in the download -> boxes there.
        source (str): The boxes file, for the report.
        record (dict): An item of :class:`EmoSetSamples`.

    Returns:
        tuple[list | None, list[dict]]: Rows x1, y1, x2, y2, score in pixels
        of the new image, None where nothing is known, and the problems.
    """
    name, entry = record['name'], record['entry']
    place = f'{source}: {name}'
    if name not in boxes:
        return None, [problem(place, 'has no entry', 'kept, without boxes')]
    if not isinstance(boxes[name], list):
        what = f'the boxes are {boxes[name]!r}, not a list'
        return None, [problem(place, what, 'kept, without boxes')]
    across, down = record['scale']
    width, height = entry['width'], entry['height']
    good, problems = [], []
    for box in boxes[name]:
        try:
            (checked,) = check_persons(
                [box], name, round(height / down), round(width / across)
            )
        except (BadSampleError, ValueError) as error:
            what = str(error).removeprefix(f'{name}: ')
            problems.append(problem(place, what, 'the box is left out'))
            continue
        x1, y1, x2, y2, score = (float(v) for v in checked)
        scaled = (x1 * across, y1 * down, x2 * across, y2 * down)
        x1, y1, x2, y2 = (round(v, 2) for v in scaled)
        if x1 < x2 <= width and y1 < y2 <= height:
            good.append([x1, y1, x2, y2, round(score, 4)])
        else:
            what = f'person box {box} is too small for this image'
            problems.append(problem(place, what, 'the box is left out'))
    return good, problems
