import pytest
import torch
from mmengine.hooks import Hook

from tests.engine.hooks.tiny_runner import tiny_runner


class Record(Hook):
    """Keep the order and the masks of every step; may stop a run."""

    priority = 'VERY_LOW'

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.order, self.masks = [], []

    def before_train(self, runner):
        runner.model.backbone.register_forward_hook(
            lambda module, args, out: self.masks.append(out[0][1].clone())
        )

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.order.append([s.sample_idx for s in data_batch['data_samples']])
        if runner.iter == self.stop_at:
            raise KeyboardInterrupt


def run(drawn, work_dir, name, seed, stop_at=None, resume=None):
    top = dict(randomness=dict(seed=seed))
    if resume:
        top.update(load_from=str(resume), resume=True)
    runner = tiny_runner(drawn, work_dir, name=name, **top)
    record = Record(stop_at)
    runner.register_hook(record)
    if stop_at is None:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return runner, record


@pytest.mark.slow
def test_resumed_run_repeats_order_and_masks(drawn, tmp_path):
    """The seed was drawn at random; only the checkpoint knows it."""
    whole, full = run(drawn, tmp_path, 'whole', None)
    checkpoint = tmp_path / 'epoch_1.pth'
    # Other random numbers than in the first run, as in another process.
    torch.manual_seed(12345)
    again, rest = run(drawn, tmp_path, 'again', None, resume=checkpoint)
    steps = len(full.order) // 3
    assert rest.order == full.order[steps:]
    for a, b in zip(rest.masks, full.masks[steps:], strict=True):
        assert torch.equal(a, b)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(
            value, again.model.state_dict()[name], atol=1e-6, rtol=0
        )


@pytest.mark.slow
def test_loop_without_epochs_only_warns(drawn, tmp_path):
    def without_epochs(cfg):
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
        cfg.param_scheduler = None
        cfg.default_hooks.checkpoint.by_epoch = False
        cfg.log_level = 'WARNING'

    runner = tiny_runner(drawn, tmp_path, without_epochs)
    runner.train()
    assert runner.train_dataloader.dataset._epoch_key.tolist() == [-1, -1]
    (log,) = tmp_path.glob('*/*.log')
    assert 'IterBasedTrainLoop has no epochs' in log.read_text()


@pytest.mark.slow
def test_epochs_and_seeds_differ_in_order_and_masks(drawn, tmp_path):
    _, one = run(drawn, tmp_path / '1', 'one', 1, stop_at=8)
    _, same = run(drawn, tmp_path / '2', 'same', 1, stop_at=8)
    _, other = run(drawn, tmp_path / '3', 'other', 2, stop_at=8)
    assert one.order == same.order != other.order
    assert torch.equal(one.masks[0], same.masks[0])
    assert not torch.equal(one.masks[0], other.masks[0])
    assert one.order[:4] != one.order[4:8]
    assert not torch.equal(one.masks[0], one.masks[4])
