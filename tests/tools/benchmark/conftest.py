import functools

import pytest
import step_variants
import torch
from mmengine.logging import MMLogger
from step_variants import build_variants

from tests.helpers import step_config


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
