"""Small datasets in EmoSet's and Emo8's layouts, drawn by code.

For trying the commands and for tests where no download is at hand. The
pictures show landscapes and rooms with people whose faces, posture and colors
follow the emotion, so there is something to learn; nothing can be concluded
from them about photographs.
"""

import json
from pathlib import Path

import numpy as np
from drawn_pictures import draw_sample

from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.utils.atomic_files import atomic_folder


def draw_emoset(
    root: str | Path,
    train: int = 192,
    val: int = 32,
    test: int = 64,
    size: int = 160,
    seed: int = 0,
) -> Path:
    """Writes the dataset, the same for the same arguments.

    Besides EmoSet's own files there is ``persons.json``, the boxes of the
    people in OpenMMLab 2.0 format. A folder that is already there is left
    alone; an unfinished one is never there under this name.

    Args:
        root (str | Path): Where to write.
        train (int): Images of the train split. Defaults to 192.
        val (int): Images of the val split. Defaults to 32.
        test (int): Images of the test split. Defaults to 64.
        size (int): Height of the images in pixels; the width varies from 0.8
            to 1.4 times that. Defaults to 160.
        seed (int): Other seeds give other pictures. Defaults to 0.

    Returns:
        Path: ``root``.
    """
    counts = dict(train=train, val=val, test=test)
    return atomic_folder(root, lambda work: _write(work, counts, size, seed))


def draw_class_folders(
    root: str | Path, per_class: int = 240, size: int = 160, seed: int = 1
) -> Path:
    """Writes a dataset in Emo8's layout, a folder an emotion, no splits.

    Like :func:`draw_emoset`, of whose pictures it has none as long as the
    seeds differ.

    Args:
        root (str | Path): Where to write.
        per_class (int): Images of each emotion. Defaults to 240.
        size (int): Height of the images in pixels. Defaults to 160.
        seed (int): Other seeds give other pictures. Defaults to 1.

    Returns:
        Path: ``root``.
    """

    def write(work: Path) -> None:
        for label, emotion in enumerate(EMOSET_CATEGORIES):
            (work / emotion).mkdir()
            for number in range(per_class):
                rng = np.random.default_rng([seed, label, number])
                picture, _, _ = draw_sample(emotion, size, rng)
                picture.save(work / emotion / f'{number:05d}.jpg', quality=92)

    return atomic_folder(root, write)


def _write(root: Path, counts: dict, size: int, seed: int) -> None:
    number = dict.fromkeys(EMOSET_CATEGORIES, 0)
    entries = []
    for split, count in counts.items():
        rows = []
        for i in range(count):
            emotion = EMOSET_CATEGORIES[i % len(EMOSET_CATEGORIES)]
            name = f'{emotion}/{emotion}_{number[emotion]:05d}'
            rng = np.random.default_rng(
                [seed, EMOSET_CATEGORIES.index(emotion), number[emotion]]
            )
            number[emotion] += 1
            picture, attributes, boxes = draw_sample(emotion, size, rng)
            image = root / 'image' / f'{name}.jpg'
            image.parent.mkdir(parents=True, exist_ok=True)
            picture.save(image, quality=92)
            annotation = root / 'annotation' / f'{name}.json'
            annotation.parent.mkdir(parents=True, exist_ok=True)
            base = dict(image_id=image.stem, emotion=emotion)
            annotation.write_text(json.dumps({**base, **attributes}))
            rows.append(
                [emotion, f'image/{name}.jpg', f'annotation/{name}.json']
            )
            entries.append(dict(img_path=f'image/{name}.jpg', persons=boxes))
        (root / f'{split}.json').write_text(json.dumps(rows))
    label2idx = {name: i for i, name in enumerate(EMOSET_CATEGORIES)}
    idx2label = {str(i): name for name, i in label2idx.items()}
    info = dict(label2idx=label2idx, idx2label=idx2label)
    (root / 'info.json').write_text(json.dumps(info))
    persons = dict(metainfo=dict(source='drawn'), data_list=entries)
    (root / 'persons.json').write_text(json.dumps(persons))
