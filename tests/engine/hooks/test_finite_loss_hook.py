from types import SimpleNamespace

import pytest
import torch

from tests.engine.hooks.tiny_runner import first_step
from uniemox_mm.engine.hooks.finite_loss_hook import FiniteLossHook


@pytest.mark.slow
def test_nan_loss_stops_the_run_before_a_checkpoint(
    drawn, tmp_path, monkeypatch
):
    from mmpretrain.models.losses import PixelReconstructionLoss

    def lost(self, pred, target, mask=None):
        return pred.sum() * torch.nan

    monkeypatch.setattr(PixelReconstructionLoss, 'forward', lost)

    def one_batch(cfg):
        cfg.train_dataloader.batch_size = 64  # more than there are

    with pytest.raises(
        FloatingPointError,
        match='loss is nan in epoch 1, iteration 1',
    ):
        first_step(drawn, tmp_path, 'nan', one_batch)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
def test_a_loss_that_is_not_finite_stops_the_run(value):
    runner = SimpleNamespace(iter=49, epoch=0, train_dataloader=range(100))
    outputs = dict(loss=torch.tensor(value))
    with pytest.raises(FloatingPointError, match=f'loss is {value} '):
        FiniteLossHook().after_train_iter(runner, 49, outputs=outputs)
