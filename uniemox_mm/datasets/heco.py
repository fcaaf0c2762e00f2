"""HECO: people in context, several in an image."""

import csv
import io
import logging
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS

from .categories import HECO_CATEGORIES
from .class_folders import (
    FolderLayout,
    LabelledImage,
    LayoutError,
    find_folder,
    scan_class_folders,
)
from .folder_emotion import FolderEmotionDataset

_LABELS = Path('Labels', 'HECO_Labels.csv')
_BOX = ('xmin', 'ymin', 'xmax', 'ymax')
_COLUMNS = ('Image', *_BOX, 'Category')
# The released file has this slip once.
_SLIPS = {'Happinesst': 'Happiness'}


@DATASETS.register_module()
class HECO(FolderEmotionDataset):
    """The `HECO <https://heco2022.github.io>`_ dataset (ECCV 2022).

    9,385 images, split 70 : 10 : 20, with 19,781 annotated people. As
    released, or with a folder a class::

        data_root                          data_root
        ├── Data/<image> (or Images)       ├── Surprise/<image> ...
        └── Labels/HECO_Labels.csv         └── Excitement/ Happiness/ ...

    The people of an image are always in the same split. As released every
    sample has ``persons``, so that :class:`PersonCrop` can cut them out.

    Args:
        data_root (str): The folder above.
        people (str): 'largest' makes one sample per image, labelled by its
            largest person, as a folder a class would have it; 'all' makes
            one per annotated person, with the box of that person alone (as
            released only). Defaults to 'largest'.
        **kwargs: Those of :class:`FolderEmotionDataset`.
    """

    METAINFO = {'classes': HECO_CATEGORIES}
    LAYOUT = FolderLayout(HECO_CATEGORIES, places=('', 'Data', 'images'))
    TREE = (
        'Data/<image> ... (or Images)\n'
        'Labels/HECO_Labels.csv\n'
        'or\n'
        'Surprise/<image> ...\n'
        'Excitement/ Happiness/ Peace/ Disgust/ Anger/ Fear/ Sadness/'
    )

    def __init__(
        self, data_root: str, *args, people: str = 'largest', **kwargs
    ) -> None:
        if people not in ('largest', 'all'):
            raise ValueError(
                f"people must be 'largest' or 'all', but is {people!r}"
            )
        if people == 'all' and kwargs.get('persons') is not None:
            raise ValueError(
                "people='all' gives each sample the box of its one person, "
                'which a boxes file (persons=) would replace'
            )
        self.people = people
        super().__init__(data_root, *args, **kwargs)

    @classmethod
    def _scan(cls, root: Path) -> list[LabelledImage]:
        if (root / _LABELS).is_file():
            return _read_labels(root)
        inside = [path.parents[1] for path in root.glob(f'*/{_LABELS}')]
        if len(inside) == 1:
            raise LayoutError(
                f'no {_LABELS}. Perhaps data_root is {inside[0]}'
            )
        return scan_class_folders(root, cls.LAYOUT)

    def load_data_list(self) -> list[dict]:
        """Read the samples, one per person with ``people='all'``.

        Raises:
            ValueError: ``people='all'``, but people are not annotated.
        """
        rows = super().load_data_list()
        if self.people == 'largest':
            return rows
        if any('person_labels' not in row for row in rows):
            raise ValueError(
                f"{self.data_root}: people='all' needs {_LABELS}, or split "
                'files that were made from it'
            )
        return [
            dict(img_path=row['img_path'], gt_label=label, persons=[box])
            for row in rows
            for box, label in zip(
                row['persons'], row['person_labels'], strict=True
            )
        ]


def _read_labels(root: Path) -> list[LabelledImage]:
    """Read one image per name in the table, its largest person first."""
    found = find_folder(root, 'Data') or find_folder(root, 'Images')
    if found is None:
        raise LayoutError(f'{_LABELS} exists, but no folder Data or Images')
    people = _read_people(root / _LABELS)
    there = {path.name for path in found.iterdir()}
    gone = sorted(people.keys() - there)
    if len(gone) == len(people):
        raise LayoutError(
            f'{found.name} has none of the {len(people)} images that '
            f'{_LABELS} lists, such as {gone[:1]}'
        )
    if gone:
        print_log(
            f'{root}: {len(gone)} of the {len(people)} images that {_LABELS} '
            f'lists are missing and left out, the first: {gone[0]}',
            logger='current',
            level=logging.WARNING,
        )
    images = []
    for name in sorted(people.keys() & there):
        by_area = sorted(people[name], key=lambda person: -_area(person[0]))
        boxes, labels = zip(*by_area, strict=True)
        images.append(
            LabelledImage(
                f'{found.name}/{name}',
                labels[0],
                group=HECO_CATEGORIES[labels[0]],
                more=dict(persons=list(boxes), person_labels=list(labels)),
            )
        )
    return images


def _read_people(path: Path) -> dict[str, list[tuple[list[float], int]]]:
    """Map each image to the boxes and classes of its people."""
    people: dict[str, list[tuple[list[float], int]]] = {}
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise LayoutError(f'{_LABELS} is not UTF-8 text: {error}') from None
    table = csv.DictReader(io.StringIO(text, newline=''))
    names = [(name or '').strip() for name in table.fieldnames or ()]
    table.fieldnames = names
    missing = set(_COLUMNS) - set(names)
    if missing:
        raise LayoutError(
            f'{_LABELS} has no column {", ".join(sorted(missing))}, but '
            f'{names}'
        )
    try:
        for row in table:
            name, person = _read_person(table.line_num, row)
            people.setdefault(name, []).append(person)
    except csv.Error as error:
        raise LayoutError(
            f'{_LABELS} is not CSV after line {table.line_num}: {error}'
        ) from None
    if not people:
        raise LayoutError(f'{_LABELS} lists no people')
    return people


def _read_person(line: int, row: dict) -> tuple[str, tuple[list[float], int]]:
    name, category = ((row[c] or '').strip() for c in ('Image', 'Category'))
    category = _SLIPS.get(category, category)
    try:
        box = [float(row[column]) for column in _BOX]
        x1, y1, x2, y2 = box
        if not name or not (x1 < x2 and y1 < y2 and np.isfinite(box).all()):
            raise ValueError
        return name, ([*box, 1.0], HECO_CATEGORIES.index(category))
    except (TypeError, ValueError):
        raise LayoutError(
            f'line {line} of {_LABELS} is {row}; expected the name of an '
            f'Image, numbers in {", ".join(_BOX)} with xmin < xmax and ymin < '
            f'ymax, and a Category of {", ".join(HECO_CATEGORIES)}'
        ) from None


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
