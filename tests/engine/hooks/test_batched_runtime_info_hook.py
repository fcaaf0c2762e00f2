import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook, LoggerHook, RuntimeInfoHook
from mmengine.logging import MessageHub

from tests.engine.hooks.tiny_runner import tiny_runner
from tests.op_counts import OpCounts
from uniemox_mm.engine.hooks import BatchedRuntimeInfoHook

LOSSES = ['loss', 'loss_rec', 'loss_similarity', 'loss_feature']
# 32 images in batches of 5, logged every third: iterations 3 and 6 of 7.
PER_EPOCH = 7


class Waits(Hook):
    """Count the waits for numbers in each iteration."""

    priority = 'LOWEST'

    def __init__(self, ops):
        self.ops = ops
        self.each = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.before = self.ops.calls['aten._local_scalar_dense']

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        now = self.ops.calls['aten._local_scalar_dense']
        self.each.append(now - self.before)


class Run:
    """A short training, and what it logged."""

    def __init__(self, drawn, work_dir, kind, **changes):
        def change(cfg):
            cfg.default_hooks.runtime_info.type = kind
            cfg.default_hooks.logger.interval = 3
            cfg.train_cfg.max_epochs = 2
            cfg.train_dataloader.batch_size = 5

        runner = tiny_runner(drawn, work_dir, change, **changes)
        with OpCounts() as ops:
            waits = Waits(ops)
            runner.register_hook(waits)
            runner.train()
        self.waits = waits.each
        self.histories = histories(runner.message_hub.log_scalars)
        (file,) = work_dir.glob(f'{runner.timestamp}/vis_data/scalars.json')
        self.lines = [
            {k: v for k, v in json.loads(line).items() if 'time' not in k}
            for line in file.read_text().splitlines()
        ]


def histories(buffers):
    """All values of all scalars but times, which differ from run to run."""
    return {
        name: [each.tolist() for each in buffer.data]
        for name, buffer in buffers.items()
        if 'time' not in name
    }


@pytest.fixture(scope='module')
def runs(drawn, tmp_path_factory):
    """The same training with MMEngine's hook and with ours."""
    root = tmp_path_factory.mktemp('runs')
    mid_epoch = {
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 5,
        'custom_hooks': [dict(type='CheckpointHook', interval=1)],
    }
    return [
        Run(drawn, root / kind, kind, **mid_epoch)
        for kind in ('RuntimeInfoHook', 'BatchedRuntimeInfoHook')
    ], root


@pytest.mark.slow
def test_log_equals_mmengines(runs):
    (theirs, ours), _ = runs
    assert ours.lines == theirs.lines
    assert [line['iter'] for line in ours.lines] == [3, 6, 10, 13]
    assert set(ours.lines[0]) == {
        *LOSSES, 'lr', 'base_lr', 'epoch', 'iter', 'step',
    }  # fmt: skip
    assert ours.histories == theirs.histories
    assert list(ours.histories) == list(theirs.histories)
    values, counts = ours.histories['train/loss']
    assert len(values) == 2 * PER_EPOCH and counts == [1] * 2 * PER_EPOCH
    rows = [ours.histories[f'train/{name}'][0] for name in LOSSES]
    np.testing.assert_allclose(rows[0], np.sum(rows[1:], 0), rtol=1e-6)


@pytest.mark.slow
def test_no_wait_where_nothing_is_logged(runs):
    """FiniteLossHook reads the losses at the end of an epoch."""
    (theirs, ours), _ = runs
    assert ours.waits == 2 * ([0] * 6 + [4])
    assert theirs.waits == 2 * ([4] * 6 + [8])


@pytest.mark.slow
@pytest.mark.parametrize('iteration', [5, 10])
def test_checkpoint_within_an_epoch_has_the_whole_history(runs, iteration):
    (theirs, _), root = runs
    path = root / f'BatchedRuntimeInfoHook/iter_{iteration}.pth'
    content = torch.load(path, weights_only=False)['message_hub']
    found = histories(content['log_scalars'])
    for name in [*LOSSES, 'lr']:
        values, counts = theirs.histories[f'train/{name}']
        assert found[f'train/{name}'] == [
            values[:iteration],
            counts[:iteration],
        ]


@pytest.mark.slow
def test_resumed_run_logs_like_an_uninterrupted_one(drawn, tmp_path, runs):
    (theirs, _), root = runs
    kind = 'BatchedRuntimeInfoHook'
    checkpoint = str(root / kind / 'epoch_1.pth')
    again = Run(drawn, tmp_path, kind, load_from=checkpoint, resume=True)
    assert again.histories == theirs.histories
    assert again.lines == theirs.lines[2:]


class Loader(list):
    dataset = None


def stub(hook, length=7):
    """The part of a runner that the hook needs."""
    return SimpleNamespace(
        message_hub=MessageHub(f'stub {type(hook).__name__}'),
        hooks=[hook, LoggerHook(interval=3)],
        train_dataloader=Loader(range(length)),
        epoch=0,
        iter=0,
        max_epochs=1,
        max_iters=length,
    )


def test_all_number_types_are_logged_as_by_mmengine():
    found = []
    for hook in (BatchedRuntimeInfoHook(), RuntimeInfoHook()):
        runner = stub(hook)
        hook.before_train(runner)
        outputs = dict(
            loss=torch.tensor(1 / 3, dtype=torch.float64, requires_grad=True),
            half=torch.tensor(0.1, dtype=torch.bfloat16),
            shaped=torch.tensor([[2.5]]),
            number=3,
            array=np.array(0.7),
        )
        for i in range(3):
            hook.after_train_iter(runner, i, outputs=outputs)
        found.append(histories(runner.message_hub.log_scalars))
    assert found[0] == found[1]
    assert found[0]['train/loss'] == [[1 / 3] * 3, [1] * 3]
    assert found[0]['train/number'] == [[3] * 3, [1] * 3]


def test_losses_are_fetched_together_when_due():
    hook = BatchedRuntimeInfoHook()
    runner = stub(hook)
    hook.before_train(runner)
    known, fetches = [], []
    for i in range(7):
        outputs = dict(
            loss=torch.tensor(i + 0.5), other=torch.tensor(-i + 0.0)
        )
        with OpCounts() as ops:
            hook.after_train_iter(runner, i, outputs=outputs)
        fetches.append(ops.calls['aten.stack'])
        scalars = histories(runner.message_hub.log_scalars)
        known.append(len(scalars.get('train/loss', [[]])[0]))
    assert known == [0, 0, 3, 3, 3, 6, 7]  # 7: the epoch ends
    assert fetches == [0, 0, 1, 0, 0, 1, 1]
    assert scalars['train/loss'][0] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert scalars['train/other'][0] == [0, -1, -2, -3, -4, -5, -6]


def test_iteration_without_losses():
    hook = BatchedRuntimeInfoHook()
    runner = stub(hook)
    hook.before_train(runner)
    hook.after_train_iter(runner, 2, outputs=None)
    hook.after_train_epoch(runner)
    assert runner.message_hub.log_scalars == {}
