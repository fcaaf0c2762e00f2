import functools

import pytest
import step_variants
import torch
from loader import write_formats
from mmengine.config import Config
from mmengine.logging import MMLogger
from photographs import photographs
from step_variants import build_variants

from tests.helpers import ROOT, step_config


@pytest.fixture(scope='session')
def one_detector():
    """Build YOLOv3 once for all tests, without a log of initial weights."""
    with pytest.MonkeyPatch.context() as patch:
        built = functools.cache(step_variants.build_detector)
        patch.setattr(step_variants, 'build_detector', built)
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel('ERROR')
        yield
        logger.setLevel(level)


@pytest.fixture
def build(one_detector):
    """Variants of the tiny model, by name."""

    def make(*names, batch_size=4, **model):
        cfg = step_config(**model)
        found = build_variants(cfg, names, batch_size, torch.device('cpu'))
        return {v.name: v for v in found}

    return make


@pytest.fixture(scope='session')
def pretraining():
    """The config whose data pipeline is measured."""
    return Config.fromfile(ROOT / 'configs/uniemox_vit-b_pretrain.py')


@pytest.fixture(scope='session')
def formats(tmp_path_factory):
    """Four photographs in all formats."""
    folder = tmp_path_factory.mktemp('formats')
    return write_formats(folder, photographs(4), 320, workers=0)
