"""Several models side by side: reconstructions and activation maps."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from cam_on_objects import OBJECTS, cam_mass, plant_objects
from PIL import Image

from tests.apis.classifiers import load_model, photo, prepared, write_work_dir
from tests.helpers import EMO_MAE, build, tiny_config
from uniemox_mm.apis.trained_classifier import load_trained_classifier
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.utils.figures import GAP, LINE, figure_pixels
from uniemox_mm.visualization import cam_sheet
from uniemox_mm.visualization.activation_maps import activation_maps
from uniemox_mm.visualization.cam_sheet import (
    draw_activation_maps,
    overlay,
    ready_images,
)
from uniemox_mm.visualization.checkpoints import name_checkpoints
from uniemox_mm.visualization.reconstructions import (
    choose_paths,
    draw_reconstructions,
    given_paths,
    load_painters,
    reconstruct_images,
)

ZOOM = 5  # 160 / 32


@pytest.fixture(scope='module')
def pretrained(drawn, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('pictures') / 'pre'
    cfg = tiny_config(drawn, work_dir)
    work_dir.mkdir()
    cfg.dump(work_dir / 'pre.py')
    for epoch in (1, 2):
        torch.manual_seed(epoch)
        model = build(EMO_MAE)
        model.init_weights()
        content = dict(state_dict=model.state_dict())
        torch.save(content, work_dir / f'epoch_{epoch}.pth')
    return work_dir


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    return write_work_dir(tmp_path_factory.mktemp('pictures') / 'ft')


@pytest.fixture
def pictures(tmp_path):
    for seed in range(2):
        Image.fromarray(photo(seed)).save(tmp_path / f'{seed}.png')
    return [str(tmp_path / '0.png'), str(tmp_path / '1.png')]


def cell(sheet, row, column, titles=1):
    """The pixels of a cell of 160 x 160, at 32 x 32."""
    top = GAP + titles * LINE + row * (160 + GAP)
    left = GAP + column * (160 + GAP)
    return figure_pixels(sheet)[
        top : top + 160 : ZOOM, left : left + 160 : ZOOM
    ]


def test_checkpoints_get_the_same_masks(pretrained, pictures):
    checkpoints = name_checkpoints(
        [str(pretrained / 'epoch_1.pth'), str(pretrained / 'epoch_2.pth')]
    )
    models = load_painters(checkpoints)
    found = reconstruct_images(models, pictures, mask_ratio=0.5, seed=7)
    one, two = found['epoch_1'], found['epoch_2']
    np.testing.assert_array_equal(one.hidden, two.hidden)
    assert (one.hidden.mean((1, 2)) == 0.5).all()
    assert (one.painted != two.painted).any()
    default = reconstruct_images(models, pictures)
    assert (default['epoch_1'].hidden.mean((1, 2)) == 0.75).all()
    sheet = draw_reconstructions(found)
    for row in range(2):
        for column, expected in enumerate(
            (
                *(one.original, one.masked, one.painted),
                *(one.pasted, two.painted, two.pasted),
            )
        ):
            np.testing.assert_array_equal(
                cell(sheet, row, column, titles=3), expected[row]
            )
    assert len(draw_reconstructions(dict(a=one)).axes) == 2 * 4


def test_images_of_a_split(pretrained, drawn):
    (checkpoint,) = name_checkpoints([str(pretrained)])
    paths = choose_paths(checkpoint.config, 'test', 5)
    assert len(paths) == len(set(paths)) == 5
    assert all(path.startswith(str(drawn / 'image')) for path in paths)
    assert len(choose_paths(checkpoint.config, 'test', 99)) == 8


def test_images_of_folders(pictures, tmp_path):
    assert given_paths([tmp_path, pictures[0]]) == [*pictures, pictures[0]]
    assert given_paths([]) == []
    (tmp_path / 'empty').mkdir()
    for path, problem in (
        ('gone.jpg', 'gone.jpg: no such image'),
        (str(tmp_path / 'empty'), f'{tmp_path}/empty: a folder without image'),
    ):
        with pytest.raises(BadSampleError, match=re.escape(problem)):
            given_paths([path])


def test_models_that_cannot_be_compared_are_refused(
    pretrained, work_dir, tmp_path
):
    (checkpoint,) = name_checkpoints([str(work_dir)])
    message = re.escape(f'{checkpoint.path}: ImageClassifier reconstructs no')
    with pytest.raises(ValueError, match=message):
        load_painters([checkpoint])
    cfg = tiny_config('data', tmp_path)
    cfg.model.backbone.patch_size = cfg.model.neck.patch_size = 16
    cfg.model.head.patch_size = 16
    cfg.model.neck.num_patches = 4
    model = build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    cfg.dump(tmp_path / 'c.py')
    both = name_checkpoints([str(pretrained), str(tmp_path)], names=['a', 'b'])
    message = 'a: 32 x 32 pixels in 4 x 4 patches, b: .* in 2 x 2 patches'
    with pytest.raises(ValueError, match=message):
        load_painters(both)


def test_maps_lie_over_what_the_classifier_sees(work_dir, pictures):
    checkpoints = name_checkpoints(
        [str(work_dir), str(work_dir / 'epoch_3.pth')]
    )
    sheet = figure_pixels(draw_activation_maps(checkpoints, pictures))
    model = load_model(work_dir)
    for row in range(2):
        seen = prepared(photo(row)) * 1.0
        mean = np.array([123.675, 116.28, 103.53])[:, None, None]
        std = np.array([58.395, 57.12, 57.375])[:, None, None]
        rgb = (seen * std + mean).round().astype(np.uint8)
        top = GAP + LINE + row * (160 + LINE + GAP)
        shown = sheet[top : top + 160 : ZOOM]
        image = shown[:, GAP : GAP + 160 : ZOOM]
        np.testing.assert_array_equal(image, rgb.transpose(1, 2, 0))
        inputs = torch.from_numpy(rgb[::-1].copy())[None]
        heat = activation_maps(model, inputs).heat[0]
        expected = overlay(image, heat)
        for column in (1, 2):
            left = GAP + column * (160 + GAP)
            found = shown[:, left : left + 160 : ZOOM].astype(int)
            # Levels may differ by one where a value is at a half.
            assert abs(found - expected).max() <= 4
            assert (found == expected).mean() > 0.95


def test_the_overlay_is_blue_at_0_and_red_at_1():
    image = np.full((1, 2, 3), 100, np.uint8)
    found = overlay(image, np.array([[0.0, 1.0]]))
    # OpenCV's jet goes from (0, 0, 128) to (128, 0, 0).
    assert found.tolist() == [[[50, 50, 114], [114, 50, 50]]]


def test_wrong_targets_and_images_are_refused(work_dir, pictures, tmp_path):
    checkpoints = name_checkpoints([str(work_dir)])
    with pytest.raises(ValueError, match="knows no class 'joy'; it has amu"):
        draw_activation_maps(checkpoints, pictures, target='joy')
    with pytest.raises(BadSampleError, match=r'gone\.png: no such image'):
        draw_activation_maps(checkpoints, [str(tmp_path / 'gone.png')])
    model = load_trained_classifier(work_dir)
    names, ready = ready_images(model, [tmp_path])
    assert names == pictures and ready[0].shape == (3, 32, 32)


def test_boxes_go_through_the_pipeline_of_the_images(tmp_path):
    """The box of a test image is cropped and scaled as the image is."""
    data = plant_objects(tmp_path / 'planted', per_class=10, size=72)
    model = load_trained_classifier(write_work_dir(tmp_path / 'ft', str(data)))
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


def test_an_empty_map_is_told_of_as_the_page_does(
    work_dir, pictures, monkeypatch
):

    def empty(model, images, *_):
        found = activation_maps(model, images)
        return replace(found, heat=np.zeros_like(found.heat))

    monkeypatch.setattr(cam_sheet, 'activation_maps', empty)
    figure = draw_activation_maps(
        name_checkpoints([str(work_dir)]), pictures[:1]
    )
    caption = figure.axes[1].texts[1].get_text()
    name = caption.split()[0]
    said = f'nothing in the image speaks for {name} by itself'
    assert caption.replace('\n', ' ').endswith(said)
