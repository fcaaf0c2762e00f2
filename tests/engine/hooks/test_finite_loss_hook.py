import pytest
import torch

from tests.engine.hooks.tiny_runner import first_step


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
