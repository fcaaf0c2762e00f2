"""Work dirs as training leaves them."""

import pytest
import torch
from mmengine.config import Config

from tests.helpers import CLASSIFIER, EMO_MAE, tiny_finetune
from tests.weights.comparing import CLASSES, randomised


@pytest.fixture
def classifier(tmp_path):
    """A work dir as training leaves it, and its model."""
    model = randomised(CLASSIFIER)
    folder = tmp_path / 'work'
    tiny_finetune('data', folder).dump(write_to(folder / 'tiny.py'))
    content = dict(
        state_dict=model.state_dict(),
        meta=dict(cfg='raise SystemExit', dataset_meta=dict(classes=CLASSES)),
    )
    torch.save(content, folder / 'epoch_3.pth')
    return folder, model


@pytest.fixture
def pretraining(tmp_path):
    """A checkpoint with its config beside it, and its model."""
    model = randomised(EMO_MAE)
    folder = tmp_path / 'work'
    Config(dict(model=EMO_MAE)).dump(write_to(folder / 'tiny.py'))
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_3.pth')
    return folder / 'epoch_3.pth', model


def write_to(path):
    path.parent.mkdir()
    return path
