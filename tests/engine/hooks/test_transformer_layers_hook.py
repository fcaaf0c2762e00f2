from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from tests.engine.hooks.tiny_runner import tiny_runner
from tests.helpers import EMO_MAE, build
from uniemox_mm.engine.hooks import TransformerLayersHook
from uniemox_mm.models.transformer_layers import transformer_layers


class Losses(Hook):
    """Keep the losses of every iteration."""

    def __init__(self):
        self.all = []

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.all.append({k: v.item() for k, v in outputs.items()})


def train(drawn, work_dir, **layers):
    def change(cfg):
        cfg.train_cfg.max_epochs = 1
        cfg.log_level = 'INFO'
        if layers:
            cfg.default_hooks.layers = dict(
                type='TransformerLayersHook', **layers
            )

    runner = tiny_runner(drawn, work_dir, change)
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    (log,) = work_dir.glob('*/*.log')
    return losses.all, log.read_text()


@pytest.mark.slow
def test_compiled_checkpointed_losses_equal_plain(drawn, tmp_path):
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
    for line in ('4 layers recompute', '4 layers are compiled'):
        assert line in log and line not in silent


def test_defaults_change_nothing():
    model = build(EMO_MAE)
    TransformerLayersHook().before_train(SimpleNamespace(model=model))
    for layer in transformer_layers(model):
        assert 'forward' not in vars(layer)
        assert layer._compiled_call_impl is None
