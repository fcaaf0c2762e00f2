"""DeepSpeed, where it is installed, agrees with DistributedDataParallel."""

import shutil
import sys

import pytest
import torch
import torch.distributed as dist
from mmengine.registry import OPTIMIZERS

from tests.engine.strategies.sharded_training import (
    OPTIMIZER,
    STEPS,
    check_teacher,
    ddp,
    prepare,
    save,
    settings,
    train,
)
from tests.helpers import EMO_MAE, build, run_distributed
from uniemox_mm.apis import load_weights
from uniemox_mm.engine.read_config import resolve_checkpoint
from uniemox_mm.engine.strategies import EmoDeepSpeedStrategy

SPEEDY = dict(OPTIMIZER, type='DeepSpeedOptimWrapper')


REGISTERED = (
    'DeepSpeedCPUAdam FusedAdam FusedLamb OnebitAdam OnebitLamb ZeroOneAdam'
).split()


def zero(folder, name='zero', **options):
    for optimizer in REGISTERED:  # by MMEngine, which does so once a process
        OPTIMIZERS._module_dict.pop(optimizer, None)
    options.setdefault('zero_optimization', dict(stage=2))
    return EmoDeepSpeedStrategy(**options, **settings(folder, name))


def run(rank, world, folder):
    reference, sharded = prepare(ddp(folder)), prepare(zero(folder), SPEEDY)
    expected = train(reference, rank)
    losses = train(sharded, rank)
    torch.testing.assert_close(losses, expected, atol=1e-4, rtol=0)
    check_teacher(sharded.model.module)
    path = folder / 'epoch_1.pth'
    save(sharded, path)
    check_weights(reference, path)
    resumed = prepare(zero(folder, 'resumed'), SPEEDY, seed=1)
    resumed.resume(str(path))
    steps = range(STEPS, STEPS + 3)
    further = train(sharded, rank, steps)
    torch.testing.assert_close(
        train(resumed, rank, steps), further, atol=1e-6, rtol=0
    )
    check_refusals(resumed, path, rank)
    started = prepare(zero(folder, 'started'), SPEEDY, seed=2)
    started.load_checkpoint(resolve_checkpoint(str(path)))
    again = train(started, rank, range(STEPS, STEPS + 1))
    torch.testing.assert_close(again[0], further[0], atol=1e-6, rtol=0)
    check_autocast(folder, rank)
    if rank == 0:
        (folder / 'compared').touch()


def check_weights(reference, path):
    given = load_weights(resolve_checkpoint(str(path)))
    assert given.keys() == build(EMO_MAE).state_dict().keys()
    for name, value in reference.model.module.state_dict().items():
        torch.testing.assert_close(given[name], value, atol=1e-4, rtol=0)


def check_refusals(strategy, path, rank):
    other = path.with_name('other.pth')
    if rank == 0:
        shutil.copytree(path, other)
        next(other.glob('*rank_1*_optim_states.pt')).unlink()
    dist.barrier()
    with pytest.raises(ValueError, match=f'{other}: .* 1 proc.* 2 now'):
        strategy.resume(str(other))
    strategy.dispatch_kwargs['epoch_length'] = 7
    cause = f'{path}: iteration {STEPS} is not the end of epoch 1 with 7'
    with pytest.raises(ValueError, match=cause):
        strategy.resume(str(path))


def check_autocast(folder, rank):
    """The layers compute in bfloat16; weights and teacher keep float32."""
    strategy = prepare(zero(folder, 'half', autocast='bfloat16'), SPEEDY)
    model, outputs = strategy.model.module, []
    model.backbone.layers[0].attn.qkv.register_forward_hook(
        lambda module, args, out: outputs.append(out.dtype)
    )
    assert torch.isfinite(train(strategy, rank, range(1))).all()
    assert outputs == [torch.bfloat16]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    clip = model.target_generator.clip
    assert {p.dtype for p in clip.parameters()} == {torch.float32}


@pytest.mark.slow
def test_two_processes_agree_with_ddp(tmp_path, monkeypatch):
    pytest.importorskip('deepspeed')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    run_distributed(2, run, tmp_path)
    assert (tmp_path / 'compared').exists()


def test_missing_deepspeed_is_explained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'deepspeed', None)
    monkeypatch.setattr('mmengine._strategy.deepspeed.deepspeed', None)
    message = r'pip install "uniemox_mm\[deepspeed\]"'
    with pytest.raises(ImportError, match=message):
        zero(tmp_path)
