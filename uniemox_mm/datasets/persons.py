"""Read and check person boxes."""

from pathlib import Path

import numpy as np

from uniemox_mm.utils.json_files import read_json

from .errors import BadSampleError


def read_person_file(path: str | Path) -> dict[str, list]:
    """Read a boxes file in OpenMMLab 2.0 format.

    The format is ``{"metainfo": {...}, "data_list": [{"img_path": ...,
    "persons": [[x1, y1, x2, y2, score], ...]}, ...]}`` with paths relative to
    the data root and boxes in pixels of the original image.

    Args:
        path (str | Path): The file.

    Returns:
        dict[str, list]: Image path -> its boxes, empty where nobody was
        found.

    Raises:
        ValueError: The file has another format.
    """
    content = read_json(path)
    try:
        return {e['img_path']: e['persons'] for e in content['data_list']}
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: not a boxes file ({type(error).__name__}: {error}); '
            'expected {"metainfo": {...}, "data_list": [{"img_path": ..., '
            '"persons": [[x1, y1, x2, y2, score], ...]}, ...]}'
        ) from None


def check_persons(
    persons: object, image: str, height: int, width: int
) -> np.ndarray:
    """Check the boxes of an image and clip them to it.

    Args:
        persons (object): Rows of x1, y1, x2, y2, score in pixels.
        image (str): The image's path, for the message.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        np.ndarray: Boxes inside the image, (M, 5) float32, M may be 0.

    Raises:
        BadSampleError: A box is malformed, not finite, empty or has no pixel
            inside the image.
    """

    def bad(box: object, what: str) -> BadSampleError:
        return BadSampleError(
            f'{image}: person box {box} {what}; expected x1, y1, x2, y2, '
            f'score in pixels of this image of {width} x {height}, with x1 < '
            'x2 and y1 < y2'
        )

    try:
        boxes = np.asarray(persons, dtype=np.float32)
    except (TypeError, ValueError):
        raise bad(persons, 'is not numeric') from None
    if boxes.size == 0:
        return np.zeros((0, 5), np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise bad(persons, 'does not have five values')
    for box in boxes:
        x1, y1, x2, y2, _ = box
        if not np.isfinite(box).all():
            raise bad(box.tolist(), 'is not finite')
        if x2 <= x1 or y2 <= y1:
            raise bad(box.tolist(), 'is empty')
        if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
            raise bad(box.tolist(), 'is outside the image')
    boxes[:, 0:4:2] = boxes[:, 0:4:2].clip(0, width)
    boxes[:, 1:4:2] = boxes[:, 1:4:2].clip(0, height)
    return boxes
