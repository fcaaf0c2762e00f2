"""Trains the small EmoMAE by a strategy, in gloo processes on the CPU."""

import copy
from pathlib import Path

import torch
from mmengine._strategy import BaseStrategy, DDPStrategy
from mmengine.registry import init_default_scope
from torch import nn

from tests.helpers import EMO_MAE, build, samples

STEPS = 20
OPTIMIZER = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0
    ),
)
DDP = dict(
    type='MMDistributedDataParallel', broadcast_buffers=False, device_ids=None
)


def settings(folder: Path, name: str) -> dict:
    """Arguments of any strategy."""
    return dict(
        work_dir=str(folder),
        experiment_name=name,
        env_kwargs=dict(launcher='pytorch', randomness=dict(seed=0)),
        log_kwargs=dict(log_level='ERROR'),
    )


def ddp(folder: Path) -> DDPStrategy:
    return DDPStrategy(model_wrapper=dict(DDP), **settings(folder, 'ddp'))


def prepare(strategy: BaseStrategy, optimizer: dict = OPTIMIZER, seed=0):
    init_default_scope('mmpretrain')
    torch.manual_seed(seed)
    strategy.prepare(
        copy.deepcopy(EMO_MAE),
        optim_wrapper=copy.deepcopy(optimizer),
        dispatch_kwargs=dict(
            epoch_length=STEPS,
            max_epochs=2,
            max_iters=2 * STEPS,
            train_micro_batch_size_per_gpu=4,
        ),
    )
    return strategy


def train(strategy: BaseStrategy, rank: int, steps=range(STEPS)):
    """The losses of each step."""
    losses = []
    for step in steps:
        # The same images and masks, whatever the strategy.
        torch.manual_seed(100 * step + rank)
        views = [255 * torch.rand(4, 3, 32, 32) for _ in range(2)]
        batch = dict(inputs=views, data_samples=samples(4))
        log = strategy.model.train_step(batch, strategy.optim_wrapper)
        losses.append([log[name].item() for name in sorted(log)])
    return torch.tensor(losses)


def save(strategy: BaseStrategy, path: Path) -> None:
    meta = dict(epoch=1, iter=STEPS)
    strategy.save_checkpoint(str(path), extra_ckpt=dict(meta=meta))


def check_teacher(model):
    """The teacher is complete, unsharded and as it was built."""
    own = {id(p) for p in model.parameters()}
    fresh = build(EMO_MAE).target_generator.clip
    for (name, given), (_, expected) in zip(
        model.target_generator.clip.named_parameters(),
        fresh.named_parameters(),
        strict=True,
    ):
        assert type(given) is nn.Parameter and id(given) not in own
        assert torch.equal(given, expected), name
