"""Short trainings that are resumed, and their logs."""

import copy
import itertools
import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import uniemox_mm.engine  # noqa: F401  (registers the hook)

IMAGES, EPOCHS, WARM_UP, RATE, START = 24, 6, 2, 1e-2, 1e-3
NUMBER = itertools.count()  # MMEngine wants another name for every run


class Numbers(Dataset):
    metainfo = dict(classes=('a',))

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index / IMAGES]))


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=((self.fc(inputs) - 3 * inputs) ** 2).mean())


class Rates(Hook):
    """Record the number and learning rate of every iteration."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        (rate,) = {g['lr'] for g in runner.optim_wrapper.param_groups}
        self.seen.append((runner.iter, rate))


def run(
    folder, batch_size, *, rate=RATE, until=EPOCHS, resume=None, **changes
):
    """Train to the end of an epoch; return the runner and its rates."""
    torch.manual_seed(0)
    rates = Rates()
    start = dict(type='LinearLR', start_factor=START, end=WARM_UP)
    cosine = dict(
        type='CosineAnnealingLR',
        T_max=EPOCHS - WARM_UP,
        begin=WARM_UP,
        end=EPOCHS,
    )
    settings = dict(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=Numbers(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=batch_size,
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=until),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=rate)),
        param_scheduler=[
            dict(start, convert_to_iter_based=True),
            dict(cosine, convert_to_iter_based=True),
        ],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            resumed_schedule=dict(type='ResumedScheduleHook'),
        ),
        custom_hooks=[rates],
        default_scope='mmpretrain',
        experiment_name=f'{folder}_{next(NUMBER)}'.replace('/', '-'),
        randomness=dict(seed=0),
    )
    settings.update(copy.deepcopy(changes))
    if resume:
        settings.update(resume=True, load_from=str(resume))
    runner = Runner(**settings)
    runner.train()
    return runner, rates.seen


def closed_form(length, first, rate=RATE):
    """Iterations from the start of an epoch on, and their rates."""
    t = np.arange(first * length, EPOCHS * length, dtype=np.float64)
    warm = WARM_UP * length
    rising = START + (1 - START) * t / (warm - 1)
    angle = math.pi * (t - warm) / ((EPOCHS - WARM_UP) * length)
    falling = (1 + np.cos(angle)) / 2
    return t.astype(int), rate * np.where(t < warm, rising, falling)


def assert_rates(seen, length, first, rate=RATE):
    iterations, expected = closed_form(length, first, rate)
    assert [i for i, _ in seen] == iterations.tolist()
    np.testing.assert_allclose([r for _, r in seen], expected, rtol=1e-9)


@contextmanager
def messages(level):
    """Collect what runs log at a level."""
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            f'mmengine.logging.MMLogger.{level}',
            lambda self, text, *_: lines.append(text),
        )
        yield lines
