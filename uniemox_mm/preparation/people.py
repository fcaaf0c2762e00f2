"""Boxes of people for images that were made smaller."""

from collections.abc import Mapping

from uniemox_mm.datasets.errors import BadSampleError
from uniemox_mm.datasets.persons import check_persons

from .emoset_lists import problem


def fit_boxes(
    boxes: Mapping[str, list], source: str, record: dict
) -> tuple[list | None, list[dict]]:
    """Looks up the boxes of an image and scales them to its new size.

    Args:
        boxes (Mapping[str, list]): Name in the download -> boxes there.
        source (str): The boxes file, for the report.
        record (dict): What :class:`EmoSetSamples` gives for an image.

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
