"""Models as they are loaded from checkpoints."""

import pytest
import torch
from mmengine.config import Config

from tests.helpers import EMO_MAE, tiny_finetune
from tests.weights.comparing import CLASSES, randomised
from uniemox_mm.export.export_model import export_model


@pytest.fixture
def load(tmp_path):
    """A model of a config with random weights, as a checkpoint gives it."""

    def from_config(config):
        model = randomised(config.model)
        model._config = config
        model._dataset_meta = dict(classes=CLASSES)
        model._checkpoint = str(tmp_path / 'epoch_3.pth')
        torch.save(dict(state_dict=model.state_dict()), model._checkpoint)
        return model

    return from_config


@pytest.fixture
def config():
    return tiny_finetune('/data', '/work')


@pytest.fixture
def classifier(load, config):
    return load(config)


@pytest.fixture
def pretrained(load):
    return load(Config(dict(model=EMO_MAE)))


@pytest.fixture
def export(tmp_path):
    """Exports to a name in ``tmp_path``."""

    def to(model, name, format):
        return export_model(model, tmp_path / name, format)

    return to
