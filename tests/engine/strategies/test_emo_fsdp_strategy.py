"""Sharded training gives what training by DistributedDataParallel gives."""

from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel

from tests.engine.strategies.sharded_training import (
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
from uniemox_mm.engine.strategies import EmoFSDPStrategy
from uniemox_mm.models.transformer_layers import (
    checkpoint_layers,
    compile_layers,
)

pytestmark = pytest.mark.slow
WRAPPER = dict(
    type='MMFullyShardedDataParallel',
    auto_wrap_policy='wrap_transformer_layers',
)


def fsdp(folder, name='fsdp'):
    return EmoFSDPStrategy(
        model_wrapper=dict(WRAPPER), **settings(folder, name)
    )


def run(rank, world, folder):
    reference, sharded = prepare(ddp(folder)), prepare(fsdp(folder))
    expected = train(reference, rank)
    losses = train(sharded, rank)
    torch.testing.assert_close(losses, expected, atol=1e-4, rtol=0)
    assert expected[-1, 0] < 0.9 * expected[0, 0]  # something was learned
    check_shards(sharded, reference, world)
    check_teacher(sharded.model.module)
    save(reference, folder / 'ddp.pth')
    save(sharded, folder / 'fsdp.pth')
    if rank == 0:
        content = torch.load(folder / 'ddp.pth', weights_only=False)
        # MMEngine's Runner saves without the prefix of its strategy.
        content['state_dict'] = without_prefix(content['state_dict'])
        torch.save(content, folder / 'runner.pth')
    dist.barrier()
    check_files(folder)
    # Whatever it starts with, a resumed run goes on like the one that saved.
    resumed = prepare(fsdp(folder, 'resumed'), seed=1)
    resumed.resume(str(folder / 'fsdp.pth'))
    steps = range(STEPS, STEPS + 3)
    further = train(sharded, rank, steps)
    torch.testing.assert_close(
        train(resumed, rank, steps), further, atol=1e-6, rtol=0
    )
    unsharded = train(reference, rank, steps)
    torch.testing.assert_close(unsharded, further, atol=1e-4, rtol=0)
    # So does one that takes over from a run that was not sharded.
    changed = prepare(fsdp(folder, 'changed'), seed=2)
    changed.resume(str(folder / 'runner.pth'))
    torch.testing.assert_close(
        train(changed, rank, steps), unsharded, atol=1e-4, rtol=0
    )
    # And one whose layers compute their activations again, or are compiled.
    for knob in (checkpoint_layers, partial(compile_layers, backend='eager')):
        other = prepare(fsdp(folder, 'knob'))
        assert knob(other.model) == 4
        torch.testing.assert_close(
            train(other, rank, range(3)), losses[:3], atol=1e-5, rtol=0
        )
    if rank == 0:
        (folder / 'compared').touch()


def check_shards(sharded, reference, world):
    """Each process has its part, under the settings of the whole."""
    held = sum(p.numel() for p in sharded.model.parameters())
    whole = sum(p.numel() for p in reference.model.parameters())
    assert held <= whole / world + 100 * world  # 100: padding of the units
    counts = torch.tensor(held)
    dist.all_reduce(counts)
    assert counts >= whole
    decays = [
        [group['weight_decay'] for group in s.optim_wrapper.param_groups]
        for s in (sharded, reference)
    ]
    assert decays[0] == decays[1] and set(decays[0]) == {0.0, 0.05}
    units = [
        module
        for module in sharded.model.modules()
        if isinstance(module, FullyShardedDataParallel)
    ]
    assert len(units) == 1 + 2 + 2  # the root, encoder and decoder layers


def without_prefix(weights):
    return {name.removeprefix('module.'): v for name, v in weights.items()}


def check_files(folder):
    files = [
        torch.load(folder / f'{name}.pth', weights_only=False)
        for name in ('runner', 'fsdp')
    ]
    a, b = (file['state_dict'] for file in files)
    assert a.keys() == b.keys() == build(EMO_MAE).state_dict().keys()
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, atol=1e-4, rtol=0)
    a, b = (file['optimizer'] for file in files)
    names = [g['params'][0] for g in b['param_groups']]
    assert len(names) == len(a['state']) == len(b['state'])
    for number, name in enumerate(names):
        for moment in ('exp_avg', 'exp_avg_sq'):
            torch.testing.assert_close(
                b['state'][name][moment],
                a['state'][number][moment],
                atol=1e-4,
                rtol=1e-3,
            )


def test_two_processes_agree_with_ddp(tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    run_distributed(2, run, tmp_path)
    assert (tmp_path / 'compared').exists()
    assert load_weights(tmp_path / 'fsdp.pth')  # plain, as all tools want it
    assert not list(tmp_path.glob('.*.tmp'))
