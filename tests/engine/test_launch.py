import os

import pytest
from mmengine.config import Config

from uniemox_mm.engine.launch import (
    fit_to_machine,
    limit_workers,
    place_of_process,
    scale_learning_rate,
    switch_amp,
    use_amp,
)


def amp_config():
    return Config(
        dict(
            optim_wrapper=dict(
                type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0
            )
        )
    )


def test_cpu_falls_back_to_fp32():
    cfg = amp_config()
    (note,) = fit_to_machine(cfg, 'none')
    assert 'fp32 instead of AMP' in note
    assert cfg.optim_wrapper == dict(type='OptimWrapper')
    assert fit_to_machine(cfg, 'none') == []


def test_accelerators_keep_amp(monkeypatch):
    monkeypatch.setattr('uniemox_mm.engine.launch.get_device', lambda: 'cuda')
    cfg = amp_config()
    assert fit_to_machine(cfg, 'pytorch') == []
    assert cfg.optim_wrapper == amp_config().optim_wrapper
    assert 'model_wrapper_cfg' not in cfg


def test_use_amp_switches_both_ways():
    cfg = amp_config()
    use_amp(cfg.optim_wrapper, False)
    use_amp(cfg.optim_wrapper, True)
    assert cfg.optim_wrapper == dict(
        type='AmpOptimWrapper',
        dtype='bfloat16',
        loss_scale=dict(enabled=False),
    )
    half = Config(dict(optim_wrapper=dict(type='x', dtype='float16')))
    use_amp(half.optim_wrapper, True)
    assert half.optim_wrapper == dict(type='AmpOptimWrapper', dtype='float16')


def test_launchers_that_need_gpus_are_refused():
    with pytest.raises(ValueError, match='slurm needs accelerators'):
        fit_to_machine(amp_config(), 'slurm')


def test_model_wrapper_cfg_is_kept(monkeypatch):
    monkeypatch.setattr('torch.distributed.is_initialized', lambda: True)
    cfg = amp_config()
    cfg.model_wrapper_cfg = dict(find_unused_parameters=True)
    fit_to_machine(cfg, 'pytorch')
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )


def rate_config(counts=1, enable=False, deepspeed=False):
    settings = dict(
        auto_scale_lr=dict(base_batch_size=512, enable=enable),
        train_dataloader=dict(batch_size=64),
        optim_wrapper=dict(optimizer=dict(lr=2e-3)),
    )
    if deepspeed:
        settings['strategy'] = dict(gradient_accumulation_steps=counts)
    else:
        settings['optim_wrapper']['accumulative_counts'] = counts
    return Config(settings)


@pytest.mark.parametrize('deepspeed', [False, True])
@pytest.mark.parametrize(
    ('world', 'counts', 'product'),
    [(2, 1, '2 x 64 makes 128'), (4, 4, '4 x 64 x 4 makes 1024')],
)
def test_learning_rate_scales_with_the_batch(
    world, counts, product, deepspeed
):
    cfg = rate_config(counts, deepspeed=deepspeed)
    note = scale_learning_rate(cfg, world)
    assert f'512, but {product}: --auto-scale-lr' in note
    assert cfg.optim_wrapper.optimizer.lr == 2e-3
    cfg = rate_config(counts, enable=True, deepspeed=deepspeed)
    size = 64 * world * counts
    expected = 1e-3 * size / 256  # the authors' rule
    note = scale_learning_rate(cfg, world)
    assert f'{product}: it becomes {expected:g} instead of 0.002' in note
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(expected, rel=1e-12)
    # MMEngine would scale it again, and so would a run of the dumped config.
    assert cfg.auto_scale_lr == dict(base_batch_size=size, enable=False)
    cfg.auto_scale_lr.enable = True
    assert scale_learning_rate(cfg, world) == ''
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('deepspeed', [False, True])
@pytest.mark.parametrize('enable', [False, True])
@pytest.mark.parametrize(('world', 'counts'), [(8, 1), (4, 2)])
def test_learning_rate_of_the_same_batch_stays(
    world, counts, enable, deepspeed
):
    cfg = rate_config(counts, enable, deepspeed)
    assert scale_learning_rate(cfg, world) == ''
    assert cfg.optim_wrapper.optimizer.lr == 2e-3


def test_learning_rate_of_an_unknown_batch():
    cfg = rate_config()
    cfg.train_dataloader.pop('batch_size')  # a batch sampler knows it
    assert scale_learning_rate(cfg, 2) == ''
    cfg.auto_scale_lr.enable = True
    with pytest.raises(ValueError, match=r'needs .*train_dataloader.batch_si'):
        scale_learning_rate(cfg, 2)
    cfg.pop('auto_scale_lr')
    assert scale_learning_rate(cfg, 2) == ''


@pytest.mark.parametrize(
    ('variables', 'launcher', 'place'),
    [
        (dict(RANK='3', WORLD_SIZE='8'), 'pytorch', (3, 8)),
        (dict(SLURM_PROCID='5', SLURM_NTASKS='16'), 'slurm', (5, 16)),
        (
            dict(OMPI_COMM_WORLD_RANK='1', OMPI_COMM_WORLD_SIZE='2'),
            'mpi',
            (1, 2),
        ),
        (dict(RANK='3', WORLD_SIZE='8'), 'none', (0, 1)),
        ({}, 'pytorch', (0, 1)),
    ],
)
def test_place_of_process(monkeypatch, variables, launcher, place):
    for prefix in ('RANK', 'WORLD', 'SLURM_', 'OMPI_'):
        for name in [n for n in os.environ if n.startswith(prefix)]:
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert place_of_process(launcher) == place


def test_amp_of_deepspeed_is_its_autocast(monkeypatch):
    wrapper = dict(type='DeepSpeedOptimWrapper')
    cfg = Config(dict(runner_type='FlexibleRunner', optim_wrapper=wrapper))
    cfg.strategy = dict(type='EmoDeepSpeedStrategy', autocast='float16')
    switch_amp(cfg, True)
    assert cfg.strategy.autocast == 'float16'
    switch_amp(cfg, False)
    assert 'autocast' not in cfg.strategy
    switch_amp(cfg, True)
    assert cfg.strategy.autocast == 'bfloat16'
    monkeypatch.setattr('torch.distributed.is_initialized', lambda: True)
    (note,) = fit_to_machine(cfg, 'pytorch')
    assert 'fp32 instead of AMP' in note
    assert cfg.optim_wrapper == wrapper and 'autocast' not in cfg.strategy


@pytest.mark.parametrize(
    ('workers', 'expected'), [((16, 3, 2), (3, 3, 2)), ((1, 0, 3), (1, 0, 3))]
)
def test_limit_workers(monkeypatch, workers, expected):
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: {0, 2, 5})
    names = [f'{split}_dataloader' for split in ('train', 'val', 'test')]
    loaders = [dict(num_workers=count) for count in workers]
    cfg = Config(dict(zip(names, loaders, strict=True)))
    notes = limit_workers(cfg)
    assert tuple(cfg[name].num_workers for name in names) == expected
    assert len(notes) == (workers != expected)
    assert limit_workers(Config(dict(val_dataloader=None))) == []
