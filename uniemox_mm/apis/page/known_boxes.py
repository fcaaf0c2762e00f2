"""People whose boxes are in a file, in the place of a detector."""

import filecmp
from collections import defaultdict
from pathlib import Path

from uniemox_mm.datasets.persons import read_person_file


class KnownBoxes:
    """Finds the boxes of an image that was copied from a dataset.

    An upload keeps the name of its file, but not the folder, so what has the
    same name must be equal to the byte as well.

    Args:
        path (str | Path): The boxes file, in the root of the dataset.

    Raises:
        ValueError: The file is not of that format.
    """

    def __init__(self, path: str | Path) -> None:
        root = Path(path).parent
        self._same_name: dict[str, list] = defaultdict(list)
        for name, boxes in read_person_file(path).items():
            known = root / name
            self._same_name[known.name].append((known, boxes))

    def find(self, image: str | Path) -> list | None:
        """The boxes of an image.

        Args:
            image (str | Path): The image, or a copy of it.

        Returns:
            list | None: Rows of x1, y1, x2, y2, score in pixels; None where
            the image is not of the dataset.
        """
        for known, boxes in self._same_name.get(Path(image).name, []):
            if known.is_file() and filecmp.cmp(image, known, shallow=False):
                return boxes
        return None
