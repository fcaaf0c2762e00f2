import copy
import functools

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from step_speed import reference
from step_speed.arrangements import build_arrangements

from tests.helpers import EMO_MAE

CPU = torch.device('cpu')


def config(**model) -> Config:
    settings = {**copy.deepcopy(EMO_MAE), **model}
    return Config(
        dict(
            model=settings,
            optim_wrapper=dict(
                type='AmpOptimWrapper',
                dtype='bfloat16',
                loss_scale=dict(enabled=False),
                optimizer=dict(type='AdamW', lr=1e-3, fused=True),
            ),
        )
    )


@pytest.fixture(scope='package', autouse=True)
def fast_to_build():
    """One YOLOv3 for all, and no log."""
    with pytest.MonkeyPatch.context() as patch:
        built = functools.cache(reference.build_detector)
        patch.setattr(reference, 'build_detector', built)
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel('ERROR')  # initial weights, line by line
        yield
        logger.setLevel(level)


@pytest.fixture
def build():
    """Arrangements of the tiny model, by name."""

    def make(*names, batch_size=4, **model):
        found = build_arrangements(config(**model), names, batch_size, CPU)
        return {a.name: a for a in found}

    return make
