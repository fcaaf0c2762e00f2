"""Checks the annotation of one EmoSet image and keeps what is good in it."""

from pathlib import Path, PurePosixPath

from uniemox_mm.datasets.base_emotion import BaseEmotionDataset
from uniemox_mm.datasets.captions import ATTRIBUTES, describe
from uniemox_mm.datasets.emoset import EmoSetRow
from uniemox_mm.datasets.errors import BadSampleError

from .emoset_lists import problem


def read_attributes(root: Path, row: EmoSetRow) -> tuple[dict, list[dict]]:
    """Reads the attributes of an image.

    An annotation that belongs to another image or emotion is not used at
    all; of others only the attributes that are wrong are left out.

    Args:
        root (Path): The download.
        row (EmoSetRow): The image's row.

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
