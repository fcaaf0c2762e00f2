import shutil

import pytest
import torch
from drawn_emoset import draw_emoset
from mmengine.registry import init_default_scope

import uniemox_mm  # noqa: F401
from tests.datasets.miniatures import write_miniature
from tests.detectors import narrow_yolov3, rtmdet, yolov3  # noqa: F401


@pytest.fixture(autouse=True, scope='session')
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fresh_randomness():
    torch.manual_seed(0)
    init_default_scope('mmpretrain')


@pytest.fixture(scope='session')
def drawn(tmp_path_factory):
    """A drawn data set that no test may change."""
    root = tmp_path_factory.mktemp('data') / 'drawn'
    return draw_emoset(root, train=24, val=8, test=8, size=64)


@pytest.fixture
def own_drawn(tmp_path):
    """A drawn data set to damage."""
    return draw_emoset(tmp_path / 'own', train=16, val=8, test=8, size=64)


@pytest.fixture(scope='session')
def mini(tmp_path_factory):
    """Miniature downloads by name, made once, that no test may change."""
    folder = tmp_path_factory.mktemp('miniatures')

    def find(name):
        if not (folder / name).exists():
            write_miniature(name, folder / name)
        return folder / name

    return find


@pytest.fixture
def own_mini(mini, tmp_path):
    """Copies of them to write to."""
    return lambda name: shutil.copytree(mini(name), tmp_path / 'root')
