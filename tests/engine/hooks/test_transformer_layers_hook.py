from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.helpers import EMO_MAE, build, tiny_config
from uniemox_mm.engine.hooks import TransformerLayersHook
from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.models.transformer_layers import transformer_layers


class Losses(Hook):
    """Keeps the losses of every iteration."""

    def __init__(self):
        self.all = []

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.all.append({k: v.item() for k, v in outputs.items()})


def train(drawn, work_dir, **layers):
    cfg = tiny_config(drawn, work_dir)
    cfg.train_cfg.max_epochs = 1
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    if layers:
        cfg.default_hooks.layers = dict(type='TransformerLayersHook', **layers)
    cfg.experiment_name = str(work_dir).replace('/', '-')
    fit_to_machine(cfg, 'none')
    runner = Runner.from_cfg(cfg)
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    (log,) = work_dir.glob('*/*.log')
    return losses.all, log.read_text()


@pytest.mark.slow
def test_both_knobs_give_the_losses_of_a_plain_run(drawn, tmp_path):
    torch._dynamo.reset()
    plain, silent = train(drawn, tmp_path / 'plain')
    changed, log = train(
        drawn,
        tmp_path / 'changed',
        compile=dict(backend='aot_eager'),
        checkpoint=True,
    )
    torch._dynamo.reset()
    assert len(plain) == 4
    for ours, theirs in zip(changed, plain, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    for line in (
        '4 layers compute their activations again in the backward pass.',
        '4 layers are compiled; the first steps take longer.',
    ):
        assert line in log and line not in silent


def test_off_it_changes_nothing():
    model = build(EMO_MAE)
    TransformerLayersHook().before_train(SimpleNamespace(model=model))
    for layer in transformer_layers(model):
        assert 'forward' not in vars(layer)
        assert layer._compiled_call_impl is None
