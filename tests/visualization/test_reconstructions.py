"""Several pretrained models on the same images under the same masks."""

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from tests.apis.classifiers import photo
from tests.helpers import CLASSIFIER, EMO_MAE, build, tiny_config
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.visualization.reconstructions import (
    check_comparable,
    choose_paths,
    draw_reconstructions,
    list_paths,
    reconstruct_images,
)


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


@pytest.fixture
def pictures(tmp_path):
    for seed in range(2):
        Image.fromarray(photo(seed)).save(tmp_path / f'{seed}.png')
    return [str(tmp_path / '0.png'), str(tmp_path / '1.png')]


def test_models_get_the_same_masks(pretrained, pictures):
    models = {
        f'epoch_{epoch}': load_model(pretrained / f'epoch_{epoch}.pth')
        for epoch in (1, 2)
    }
    check_comparable(models)
    found = reconstruct_images(models, pictures, mask_ratio=0.5, seed=7)
    one, two = found['epoch_1'], found['epoch_2']
    np.testing.assert_array_equal(one.hidden, two.hidden)
    assert (one.hidden.mean((1, 2)) == 0.5).all()
    assert (one.reconstruction != two.reconstruction).any()
    default = reconstruct_images(models, pictures)
    assert (default['epoch_1'].hidden.mean((1, 2)) == 0.75).all()
    other = reconstruct_images(models, pictures, mask_ratio=0.5, seed=8)
    assert (other['epoch_1'].hidden != one.hidden).any()
    columns = (
        *(one.original, one.masked, one.reconstruction, one.pasted),
        *(two.reconstruction, two.pasted),
    )
    axes = draw_reconstructions(found).axes
    assert len(axes) == 2 * 6
    for position, axis in enumerate(axes):
        row, column = divmod(position, 6)
        (shown,) = axis.images
        np.testing.assert_array_equal(shown.get_array(), columns[column][row])
    titles = [axis.texts[0].get_text() for axis in axes[:6]]
    assert titles[1] == 'masked (50% hidden)'
    assert titles[4].startswith('epoch_2\nreconstruction')
    assert len(draw_reconstructions(dict(a=one)).axes) == 2 * 4


def test_images_of_a_split(pretrained, drawn):
    config = Config.fromfile(pretrained / 'pre.py')
    paths = choose_paths(config, 'test', 5)
    assert len(paths) == len(set(paths)) == 5
    assert all(path.startswith(str(drawn / 'image')) for path in paths)
    assert len(choose_paths(config, 'test', 99)) == 8


def test_images_of_folders(pictures, tmp_path):
    assert list_paths([tmp_path, pictures[0]]) == [*pictures, pictures[0]]
    assert list_paths([]) == []
    (tmp_path / 'empty').mkdir()
    for path, problem in (
        ('gone.jpg', 'gone.jpg: no such image'),
        (str(tmp_path / 'empty'), f'{tmp_path}/empty: a folder without image'),
    ):
        with pytest.raises(BadSampleError, match=re.escape(problem)):
            list_paths([path])


def test_models_that_cannot_be_compared_are_refused(tmp_path):
    with pytest.raises(ValueError, match='a: ImageClassifier reconstructs no'):
        check_comparable(dict(a=build(CLASSIFIER)))
    cfg = tiny_config('data', tmp_path)
    cfg.model.backbone.patch_size = cfg.model.neck.patch_size = 16
    cfg.model.head.patch_size = 16
    cfg.model.neck.num_patches = 4
    models = dict(a=build(EMO_MAE), b=build(cfg.model))
    message = 'a: 32 x 32 pixels in 4 x 4 patches, b: .* in 2 x 2 patches'
    with pytest.raises(ValueError, match=message):
        check_comparable(models)
