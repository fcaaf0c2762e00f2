"""The rows of EmoSet's split files, and its order of classes."""

from pathlib import Path
from typing import NamedTuple

from uniemox_mm.utils.json_files import read_json

from .categories import EMOSET_CATEGORIES


class EmoSetRow(NamedTuple):
    """One image; the paths are relative to the data root."""

    emotion: str
    image: str
    annotation: str


def parse_row(path: Path, number: int, row: object) -> EmoSetRow:
    """Reads a row of a split file.

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
    """Checks ``info.json``, where there is one.

    Raises:
        ValueError: Its order of classes is not EmoSet's.
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
