"""The label is where the boxes say, and nowhere else."""

import colorsys
import json

import numpy as np
import pytest
from cam_on_objects import (
    OBJECTS,
    CamMass,
    cam_mass,
    mass_inside,
    plant,
    plant_objects,
    table_row,
)
from PIL import Image

from tests.apis.classifiers import write_work_dir
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES


def test_the_object_is_inside_its_box_and_the_center_crop():
    for label in range(8):
        for seed in range(5):
            picture = Image.new('RGB', (200, 160))
            rng = np.random.default_rng(seed)
            x1, y1, x2, y2 = plant(picture, label, rng)
            pixels = np.asarray(picture)
            rows, columns = pixels.any(-1).nonzero()
            assert x1 - 1 <= columns.min() and columns.max() <= x2 + 1
            assert y1 - 1 <= rows.min() and rows.max() <= y2 + 1
            assert x1 >= 20 and x2 <= 180 and y1 >= 0 and y2 <= 160
            assert 0.25 * 160 <= x2 - x1 <= 0.33 * 160
            middle = pixels[round((y1 + y2) / 2), round((x1 + x2) / 2)]
            hue = colorsys.rgb_to_hsv(*(middle / 255))[0] * 360
            assert abs((hue - 45 * label + 180) % 360 - 180) < 3


def test_classes_are_folders_and_boxes_are_complete(tmp_path):
    root = plant_objects(tmp_path / 'planted', per_class=2, size=48)
    boxes = json.loads((root / OBJECTS).read_text())
    assert sorted(boxes) == sorted(
        f'{name}/{number:05d}.jpg'
        for name in EMOSET_CATEGORIES
        for number in range(2)
    )
    again = plant_objects(tmp_path / 'again', per_class=2, size=48)
    for name in boxes:
        assert (root / name).read_bytes() == (again / name).read_bytes()


def test_table_is_of_right_predictions_with_a_map():
    found = CamMass(
        mass=np.array([0.5, 0.1, np.nan, 0.9]),
        area=np.array([0.2, 0.2, 0.2, 0.2]),
        correct=np.array([True, True, True, False]),
        layer='backbone.ln1',
    )
    assert table_row('cls token', 'scratch', found)[2:] == [
        *('ln1', '75.0', '30.0 ± 20.0', '20.0 ± 0.0', '50', '1', '50.0')
    ]


def test_mass_inside_a_mask():
    heat = np.array([[[1.0, 3.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    inside = np.array([[[True, False], [False, True]]] * 2)
    found = mass_inside(heat, inside)
    assert found[0] == 5 / 8 and np.isnan(found[1])


def test_boxes_are_preprocessed_as_the_images(tmp_path):
    """The box of a test image is cropped and scaled as the image is."""
    data = plant_objects(tmp_path / 'planted', per_class=10, size=72)
    model = load_model(write_work_dir(tmp_path / 'ft', str(data)))
    boxes = json.loads((data / OBJECTS).read_text())
    found = cam_mass(model, boxes)
    assert len(found.mass) == len(found.area) == len(found.correct) == 8
    # The short side becomes 36 pixels, of which the middle 32 are kept.
    chosen = {}
    for name, (x1, y1, x2, y2) in boxes.items():
        width, height = Image.open(data / name).size
        scale = 36 / min(width, height)
        chosen[name] = (x2 - x1) * (y2 - y1) * scale**2 / 32**2
    assert abs(found.area.mean() - np.mean(list(chosen.values()))) < 0.02
    boxes.pop(next(iter(boxes)))
    boxes = dict(list(boxes.items())[:1])
    with pytest.raises(ValueError, match='has no box'):
        cam_mass(model, boxes)
