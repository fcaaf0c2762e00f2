"""HECO: people in context, several in an image."""

import csv
from pathlib import Path

from mmpretrain.registry import DATASETS

from .categories import HECO_CATEGORIES
from .class_folders import (
    FolderLayout,
    LabelledImage,
    LayoutError,
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

    Splits divide images, never the people of one. As released every sample
    has ``persons``, so that :class:`PersonCrop` can cut them out.

    Args:
        data_root (str): The folder above.
        people (str): 'largest' makes a sample of each image, labelled by its
            largest person, as a folder a class would have it; 'all' makes
            one of each annotated person, with the box of that person alone
            (as released only). Defaults to 'largest'.
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
        self, data_root: str, people: str = 'largest', **kwargs
    ) -> None:
        if people not in ('largest', 'all'):
            raise ValueError(
                f"people must be 'largest' or 'all', but is {people!r}"
            )
        self.people = people
        super().__init__(data_root=data_root, **kwargs)

    @classmethod
    def _scan(cls, root: Path) -> list[LabelledImage]:
        if (root / _LABELS).is_file():
            return _read_labels(root)
        return scan_class_folders(root, cls.LAYOUT)

    def load_data_list(self) -> list[dict]:
        """As the base class, by ``people`` with a sample a person.

        Raises:
            ValueError: ``people='all'``, but people are not annotated.
        """
        rows = super().load_data_list()
        if self.people == 'largest':
            return rows
        if any('person_labels' not in row for row in rows):
            raise ValueError(
                f"{self.data_root}: people='all' needs {_LABELS}, which says "
                'who is in an image, or split files that were made from it'
            )
        return [
            {**row, 'gt_label': label, 'persons': [box]}
            for row in rows
            for box, label in zip(
                row['persons'], row['person_labels'], strict=True
            )
        ]


def _read_labels(root: Path) -> list[LabelledImage]:
    """One image a name in the table, its largest person first."""
    folder = next((f for f in ('Data', 'Images') if (root / f).is_dir()), None)
    if folder is None:
        raise LayoutError(f'{_LABELS} is there, but no folder Data')
    people: dict[str, list[tuple[list[float], int]]] = {}
    with (root / _LABELS).open(encoding='utf-8-sig', newline='') as file:
        table = csv.DictReader(file, skipinitialspace=True)
        missing = set(_COLUMNS) - set(table.fieldnames or ())
        if missing:
            raise LayoutError(
                f'{_LABELS} has the columns {table.fieldnames}; there is no '
                f'{", ".join(sorted(missing))}'
            )
        for number, row in enumerate(table, start=2):
            box, label = _read_person(number, row)
            people.setdefault(row['Image'], []).append((box, label))
    images = []
    for name, found in sorted(people.items()):
        found.sort(key=lambda person: -_area(person[0]))
        boxes, labels = zip(*found, strict=True)
        images.append(
            LabelledImage(
                f'{folder}/{name}',
                labels[0],
                stratum=HECO_CATEGORIES[labels[0]],
                more=dict(persons=list(boxes), person_labels=list(labels)),
            )
        )
    return images


def _read_person(number: int, row: dict) -> tuple[list[float], int]:
    category = (row['Category'] or '').strip()
    category = _SLIPS.get(category, category)
    try:
        box = [float(row[name]) for name in _BOX]
        return [*box, 1.0], HECO_CATEGORIES.index(category)
    except (TypeError, ValueError):
        raise LayoutError(
            f'line {number} of {_LABELS} is {row}; expected numbers in '
            f'{", ".join(_BOX)} and a Category of '
            f'{", ".join(HECO_CATEGORIES)}'
        ) from None


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
