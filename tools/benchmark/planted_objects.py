"""Drawn pictures in which one object alone says what class they are of.

For measuring whether what claims to show where a network looks does so.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.utils.atomic_files import atomic_folder

sys.path.append(str(Path(__file__).parents[1] / 'demo'))
from drawn_pictures import draw_sample, hsv_color

OBJECTS = 'objects.json'
_CORNERS = (0, 3, 4, 5)  # of the shapes; 0 is a disc
_RIM = 3  # pixels


def plant_objects(
    root: str | Path, per_class: int = 240, size: int = 160, seed: int = 2
) -> Path:
    """Writes a data set in Emo8's layout whose labels are objects.

    The rest of a picture is one of any emotion, chosen at random. The object
    is a disc, triangle, square or pentagon in a color of its own with a white
    rim, as high as a quarter to a third of the picture, anywhere in its
    middle, so that the center crop has all of it. ``objects.json`` has the
    boxes: path -> x1, y1, x2, y2 in pixels. A folder that is already there
    is left alone.

    Args:
        root (str | Path): Where to write.
        per_class (int): Pictures of each class. Defaults to 240.
        size (int): Height of the pictures in pixels. Defaults to 160.
        seed (int): Other seeds give other pictures. Defaults to 2.

    Returns:
        Path: ``root``.
    """

    def write(work: Path) -> None:
        boxes = {}
        for label, name in enumerate(EMOSET_CATEGORIES):
            (work / name).mkdir()
            for number in range(per_class):
                rng = np.random.default_rng([seed, label, number])
                around = str(rng.choice(EMOSET_CATEGORIES))
                picture, _, _ = draw_sample(around, size, rng)
                place = f'{name}/{number:05d}.jpg'
                boxes[place] = plant(picture, label, rng)
                picture.save(work / place, quality=92)
        (work / OBJECTS).write_text(json.dumps(boxes))

    return atomic_folder(root, write)


def plant(
    picture: Image.Image, label: int, rng: np.random.Generator
) -> list[float]:
    """Draws the object of a class into a picture.

    Returns:
        list[float]: The box around it, x1, y1, x2, y2 in pixels.
    """
    side = min(picture.size)
    radius = side * rng.uniform(0.25, 0.33) / 2
    x, y = (
        length / 2 + rng.uniform(-1, 1) * (0.42 * side - radius)
        for length in picture.size
    )
    corners, hue = _CORNERS[label % len(_CORNERS)], 45 * label
    pen, fill = ImageDraw.Draw(picture), hsv_color(hue, 0.9, 0.9)
    if corners:
        turn = rng.uniform(0, 360)
        pen.regular_polygon((x, y, radius), corners, turn, fill, 'white', _RIM)
    else:
        pen.circle((x, y), radius, fill, 'white', _RIM)
    return [x - radius, y - radius, x + radius, y + radius]
