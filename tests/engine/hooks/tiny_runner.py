"""Run the tiny config in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.helpers import tiny_config
from uniemox_mm.engine.launch import fit_to_machine


def tiny_runner(
    drawn: Path,
    work_dir: Path,
    change: Callable[[Config], object] = lambda cfg: None,
    name: str = '',
    **top,
) -> Runner:
    """Build the runner of the tiny config, with workers off."""
    cfg = tiny_config(drawn, work_dir, **top)
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    cfg.experiment_name = f'{name}-{work_dir}'.replace('/', '-')
    cfg.log_level = 'ERROR'
    change(cfg)
    fit_to_machine(cfg, 'none')
    return Runner.from_cfg(cfg)


class FirstStep(Hook):
    """Keep the losses and samples of the first step and stop the run."""

    priority = 'VERY_LOW'

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.losses = dict(outputs)
        self.samples = data_batch['data_samples']
        raise KeyboardInterrupt


def first_step(drawn, work_dir, name, change=lambda cfg: None):
    """Train for one step; return its losses and samples."""
    runner = tiny_runner(drawn, work_dir, change, name)
    first = FirstStep()
    runner.register_hook(first)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return first.losses, first.samples
