"""Samples of pretraining with the boxes that views are cropped from."""

from pathlib import Path

import numpy as np
import pytest
from mmpretrain.registry import DATASETS
from PIL import Image

from tests.helpers import tiny_config
from uniemox_mm.datasets.sample_randomness import seeded
from uniemox_mm.utils.figures import SMALLEST
from uniemox_mm.visualization.pairs import CHOSEN, OTHER, draw_pair, draw_pairs


def test_boxes_and_captions_of_pairs(drawn, tmp_path):
    dataset = DATASETS.build(
        tiny_config(drawn, tmp_path).train_dataloader.dataset
    )
    seen = crowded = 0
    for index in range(len(dataset)):
        cells = draw_pair(dataset, index, 0)
        (original, scene, person), (text, *blank) = zip(*cells, strict=True)
        info = dataset.get_data_info(index)
        label = dataset.metainfo['classes'][info['gt_label']]
        name = Path(info['img_path']).name
        people = {0: '0 people', 1: '1 person', 2: '2 people'}
        count = people[len(info['persons'])]
        caption = dataset.caption_of(index)
        assert text == f'{label} ({name}, {count}): {caption}'
        assert blank == ['', '']
        assert scene.shape == person.shape == (32, 32, 3)
        plain = Image.open(info['img_path'])
        assert max(original.shape) == SMALLEST
        zoom = original.shape[1] / plain.width
        marked = original == CHOSEN
        if not info['persons']:
            assert not marked.all(-1).any()
            continue
        boxes = np.array(info['persons'])[:, :4]
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        x1, y1, x2, y2 = boxes[areas.argmax()]
        rows, columns = marked.all(-1).nonzero()
        # PersonCrop of the demo takes 5 % more on each side, in the image.
        more_x, more_y = 0.05 * (x2 - x1), 0.05 * (y2 - y1)
        # PersonCrop rounds outwards to whole pixels of the original.
        left, top = max(0, x1 - more_x), max(0, y1 - more_y)
        right = min(plain.width, x2 + more_x)
        assert abs(columns.min() - zoom * left) <= 1 + zoom
        assert abs(rows.min() - zoom * top) <= 1 + zoom
        assert abs(columns.max() + 1 - zoom * right) <= 1 + zoom
        seen += 1
        for left, top, right, _ in (zoom * boxes).astype(int):
            edge = original[max(0, top - 1) : top + 2, left:right]
            assert (edge == OTHER).all(-1).any(0).mean() > 0.5
        crowded += len(boxes) > 1
    assert seen > 10 and crowded


def test_views_are_those_of_the_pipeline(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path)
    del cfg.train_dataloader.dataset.pipeline[-1]  # PackInputs
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    axes = draw_pairs(dataset, [5, 2, 7], seed=3).axes
    assert len(axes) == 2 * 6
    for start, index in ((0, 5), (3, 2), (6, 7)):
        with seeded(3, index):
            views = dataset[index]['img']
        for axis, view in zip(axes[start + 1 : start + 3], views, strict=True):
            (shown,) = axis.images
            np.testing.assert_array_equal(shown.get_array(), view[..., ::-1])
    assert not any(axis.images for axis in axes[9:])


def test_a_broken_sample_is_shown_as_its_error(own_drawn, tmp_path):
    cfg = tiny_config(own_drawn, tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    path = Path(dataset.get_data_info(3)['img_path'])
    path.write_bytes(b'')
    figure = draw_pairs(dataset, [3])
    assert not any(axis.images for axis in figure.axes)
    assert path.name in figure.axes[0].texts[-1].get_text().replace('\n', '')


def test_a_pipeline_without_views_is_refused(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path)
    del cfg.train_dataloader.dataset.pipeline[1:]
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    with pytest.raises(ValueError, match='no SceneAndPerson'):
        draw_pair(dataset, 0, 0)
