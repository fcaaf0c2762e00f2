"""The same images as a download, as prepared files, and as an LMDB."""

import io
import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from uniemox_mm.datasets import BaseEmotionDataset, EmoSet, LoadEmotionImage
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.preparation.prepare_emoset import prepare_emoset

RAW, FILES, DATABASE = 'raw JPEG', 'prepared files', 'prepared LMDB'
_PERSONS = 'persons.json'


@dataclass(frozen=True)
class Form:
    """A data set of one split, 'train', in EmoSet's layout.

    Attributes:
        name (str): What it is called in tables.
        data_root (str): The folder.
        persons (str | None): The boxes file, where boxes are not in the
            split file.
        images (int): How many.
    """

    name: str
    data_root: str
    persons: str | None
    images: int

    def config(self, pipeline: list) -> dict:
        """The config of the dataset, with a pipeline.

        Captions are left out, since annotations are read once a run and not
        in every epoch.
        """
        return dict(
            type='EmoSet',
            data_root=self.data_root,
            persons=self.persons,
            pipeline=pipeline,
        )

    def facts(self) -> dict:
        """How many images there are, with people, and median sizes."""
        # Serializing collects garbage first, which takes most of the time.
        dataset = EmoSet(
            self.data_root, persons=self.persons, serialize_data=False
        )
        load = LoadEmotionImage()
        sizes, lengths, people = [], [], 0
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            people += bool(len(info.get('persons', ())))
            content = load.read(info['img_path'])
            lengths.append(len(content) / 1000)
            with Image.open(io.BytesIO(content)) as image:
                sizes.append(sorted(image.size))
        short, long = (
            statistics.median(side) for side in zip(*sizes, strict=True)
        )
        return dict(
            images=self.images,
            with_people=people,
            short_side=short,
            long_side=long,
            kilobytes=statistics.median(lengths),
        )


def sample_of(
    dataset: BaseEmotionDataset, count: int
) -> Iterator[tuple[bytes, list]]:
    """Images of a data set, evenly spaced in its list.

    Args:
        dataset (BaseEmotionDataset): The data set.
        count (int): How many, at most.

    Yields:
        tuple[bytes, list]: A file and its boxes.
    """
    load = LoadEmotionImage()
    count = min(count, len(dataset))
    for number in range(count):
        info = dataset.get_data_info(number * len(dataset) // count)
        yield load.read(info['img_path']), info.get('persons', [])


def write_download(root: Path, images: Iterable[tuple[bytes, list]]) -> Form:
    """Writes images as EmoSet is downloaded, with a boxes file.

    Args:
        root (Path): The folder, which is made.
        images (Iterable[tuple[bytes, list]]): Files and boxes.

    Returns:
        Form: The data set. Its labels and annotations say nothing.
    """
    rows, entries = [], []
    for number, (content, boxes) in enumerate(images):
        emotion = EMOSET_CATEGORIES[number % len(EMOSET_CATEGORIES)]
        name = f'{emotion}/{emotion}_{number:05d}'
        image, annotation = f'image/{name}.jpg', f'annotation/{name}.json'
        for path in (image, annotation):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / image).write_bytes(content)
        (root / annotation).write_text(json.dumps(dict(emotion=emotion)))
        rows.append([emotion, image, annotation])
        entries.append(dict(img_path=image, persons=[list(b) for b in boxes]))
    (root / 'train.json').write_text(json.dumps(rows))
    persons = dict(metainfo=dict(), data_list=entries)
    (root / _PERSONS).write_text(json.dumps(persons))
    return Form(RAW, str(root), _PERSONS, len(rows))


def prepared_forms(
    raw: Form, out: Path, short_side: int, workers: int
) -> list[Form]:
    """Prepares a download, as files and as an LMDB.

    Args:
        raw (Form): The download.
        out (Path): Where to write both.
        short_side (int): That of :func:`prepare_emoset`, in pixels.
        workers (int): Processes that read images.

    Returns:
        list[Form]: Both.
    """
    forms = []
    for name, images in ((FILES, 'folder'), (DATABASE, 'lmdb')):
        report = prepare_emoset(
            raw.data_root,
            out / images,
            splits=['train'],
            images=images,
            short_side=short_side,
            persons=Path(raw.data_root) / _PERSONS,
            workers=workers,
        )
        count = report['counts']['train']['images']
        forms.append(Form(name, str(out / images), None, count))
    return forms
