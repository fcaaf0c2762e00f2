import numpy as np
import pytest
import torch
from PIL import Image

from tests.apis.classifiers import photo, write_work_dir
from tests.helpers import EMO_MAE, build, tiny_config
from uniemox_mm.apis.page import load_models


def write_pretraining(work_dir, data_root):
    """A work dir as pretraining leaves it: 16 patches of 8 x 8 pixels."""
    work_dir.mkdir(parents=True)
    tiny_config(data_root, work_dir).dump(work_dir / 'pretrain.py')
    torch.manual_seed(0)
    model = build(EMO_MAE)
    model.init_weights()
    path = work_dir / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return work_dir


@pytest.fixture(scope='session')
def work_dirs(tmp_path_factory, drawn):
    """Of a classifier and of pretraining."""
    root = tmp_path_factory.mktemp('page')
    return write_work_dir(root / 'fi'), write_pretraining(root / 'pre', drawn)


@pytest.fixture(scope='session')
def models(work_dirs):
    """Models that no test may change."""
    checkpoint, pretrained = map(str, work_dirs)
    return load_models(checkpoint, pretrained=pretrained, device='cpu')


@pytest.fixture
def picture(tmp_path):
    """An image without a grey or a red pixel, 60 x 40."""
    path = tmp_path / 'beach.png'
    pixels = np.minimum(photo(), 120)
    Image.fromarray(pixels).save(path)
    return path
