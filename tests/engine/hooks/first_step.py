"""One training step of the tiny config."""

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.helpers import tiny_config
from uniemox_mm.engine.launch import fit_to_machine


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
    """Train until the first step is done; returns its losses and samples."""
    cfg = tiny_config(drawn, work_dir)
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    cfg.experiment_name = f'{name}-{work_dir}'.replace('/', '-')
    cfg.log_level = 'ERROR'
    change(cfg)
    fit_to_machine(cfg, 'none')
    runner = Runner.from_cfg(cfg)
    first = FirstStep()
    runner.register_hook(first)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return first.losses, first.samples
