"""Write small downloads that are laid out as the real ones are.

Every image differs from the others and depends on its path alone, so two
miniatures of the same size are equal to the byte.
"""

import csv
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import uniemox_mm.datasets as datasets

EMOSET = (
    'amusement', 'awe', 'contentment', 'excitement',
    'anger', 'disgust', 'fear', 'sadness',
)  # fmt: skip
FI = tuple(sorted(EMOSET))
EKMAN = ('anger', 'disgust', 'fear', 'joy', 'sadness', 'surprise')
UBE = ('anger', 'fear', 'joy', 'love', 'sadness', 'surprise')
CAERS = ('Anger', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise')
HECO = (
    'Surprise', 'Excitement', 'Happiness', 'Peace',
    'Disgust', 'Anger', 'Fear', 'Sadness',
)  # fmt: skip
HECO_COLUMNS = (
    'Image', 'xmin', 'ymin', 'xmax', 'ymax',
    'Valence', 'Arousal', 'Dominance', 'Category',
)  # fmt: skip
SPLITS = ('train', 'val', 'test')
# Persons of a sample: x1, y1, x2, y2, score.
BOXES = [
    [10, 20, 30, 60, 0.5],  # 20 x 40
    [50, 10, 110, 40, 0.8],  # 60 x 30, the largest
    [110, 72, 116, 78, 0.99],  # far from the origin, but small
]


def write_miniature(
    name: str, root: str | Path, per_class: int = 20, size: int = 16
) -> Path:
    """Write the miniature of a key of ``MINIATURES`` and return its root."""
    root = Path(root)
    for image in MINIATURES[name](root, per_class, size):
        draw(root, image, size)
    return root


def draw(root: Path, name: str, size: int = 16) -> Path:
    """Write an image of one color with noise, chosen by its name."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    color = rng.integers(20, 236, 3)
    pixels = color + rng.integers(-20, 20, (size, size, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def write_heco_labels(
    root: Path, people: Iterable[Sequence], columns: Sequence = HECO_COLUMNS
) -> Path:
    """Write HECO's table from rows of image, four numbers and category."""
    path = root / 'Labels/HECO_Labels.csv'
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='', encoding='utf-8') as file:
        table = csv.DictWriter(file, columns, extrasaction='ignore')
        table.writeheader()
        for image, *box, category in people:
            rest = dict(Valence=5, Arousal=4, Dominance=6, Category=category)
            named = dict(zip(HECO_COLUMNS, (image, *box), strict=False))
            table.writerow({**named, **rest})
    return path


def read(name, root, split=SPLITS, **options):
    """Read a miniature, by default all splits."""
    # Serializing collects garbage first, which takes most of the time here.
    options = dict(split=split, serialize_data=False, **options)
    return getattr(datasets, name.split('-')[0])(str(root), **options)


def names(dataset):
    """Paths relative to the root, in the order of the samples."""
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    return [Path(p).relative_to(dataset.data_root).as_posix() for p in paths]


def class_names(dataset):
    """Path -> class name."""
    infos = map(dataset.get_data_info, range(len(dataset)))
    classes = dataset.metainfo['classes']
    labels = [classes[info['gt_label']] for info in infos]
    return dict(zip(names(dataset), labels, strict=True))


def sample(persons=BOXES, height=80, width=120):
    """An image whose pixels are their own coordinates."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x, y, 0 * x], -1).astype(np.uint8)
    return dict(
        img=image,
        img_shape=(height, width),
        ori_shape=(height, width),
        img_path='a.jpg',
        persons=persons,
    )


def _caers(root: Path, count: int, size: int) -> list[str]:
    """Names do not tell the class and start at 1 in every folder."""
    in_test = round(0.3 * count)
    return [
        f'{part}/{emotion}/{i:04d}.png'
        for part, number in (('train', count - in_test), ('test', in_test))
        for emotion in CAERS
        for i in range(1, number + 1)
    ]


def _folders(classes: Sequence[str], prefix: str = '') -> Callable:
    def listed(root: Path, count: int, size: int) -> list[str]:
        return [
            f'{prefix}{emotion}/{emotion.lower()}_{i:05d}.jpg'
            for emotion in classes
            for i in range(count)
        ]

    return listed


def _ube(root: Path, count: int, size: int) -> list[str]:
    """Three objects a class, of 20 images 13, 5 and 2."""
    objects = dict(car=count * 13 // 20, dog=count // 4)
    objects['house'] = count - sum(objects.values())
    return [
        f'images/{emotion}/{thing}/{emotion}_{thing}_{i:03d}.jpg'
        for emotion in UBE
        for thing, number in objects.items()
        for i in range(number)
    ]


def _heco(root: Path, count: int, size: int) -> list[str]:
    """One to three people an image, of whom the largest names it."""
    people, images = [], []
    for label, emotion in enumerate(HECO):
        for i in range(count):
            images.append(f'{emotion.lower()}_{i:05d}.jpg')
            group = [
                (k, k, k + size // 4, k + size // 4, HECO[(label + k) % 8])
                for k in range(1, i % 3 + 1)
            ]
            group.insert(i % 2, (0, 0, size - 1, size - 2, emotion))
            people += [(images[-1], *person) for person in group]
    # The released table has this slip once.
    slip = next(i for i, row in enumerate(people) if row[-1] == 'Happiness')
    people[slip] = (*people[slip][:-1], 'Happinesst')
    write_heco_labels(root, people)
    return [f'Data/{image}' for image in images]


MINIATURES = {
    'CAERS': _caers,
    'FI': _folders(FI),
    'Emotion6': _folders(EKMAN, 'images/'),
    'UnbiasedEmo': _ube,
    'HECO': _heco,
    'HECO-folders': _folders(HECO),
    'Emo8': _folders(EMOSET),
}
# The datasets' classes.
NAMES = tuple(name for name in MINIATURES if '-' not in name)
