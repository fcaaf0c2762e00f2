import pytest
from mmengine.config import Config

from uniemox_mm.engine.launch import (
    fit_to_machine,
    learning_rate_note,
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


def test_cpu_falls_back_to_fp32_and_says_so():
    cfg = amp_config()
    assert fit_to_machine(cfg, 'none') == [
        'No accelerator here: training in fp32 instead of AMP.'
    ]
    assert cfg.optim_wrapper == dict(type='OptimWrapper')
    assert fit_to_machine(cfg, 'none') == []


def test_accelerators_are_left_alone(monkeypatch):
    monkeypatch.setattr('uniemox_mm.engine.launch.get_device', lambda: 'cuda')
    cfg = amp_config()
    assert fit_to_machine(cfg, 'pytorch') == []
    assert cfg.optim_wrapper == amp_config().optim_wrapper
    assert 'model_wrapper_cfg' not in cfg


def test_amp_switches_both_ways():
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


def test_launchers_that_need_gpus_say_so():
    with pytest.raises(ValueError, match='slurm needs accelerators'):
        fit_to_machine(amp_config(), 'slurm')


def test_wrapper_settings_of_the_user_are_kept(monkeypatch):
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


@pytest.mark.parametrize(
    ('world', 'enable', 'counts', 'note'),
    [
        (8, False, 1, ''),
        (4, False, 2, ''),
        (1, True, 1, ''),
        (
            2,
            False,
            1,
            'The learning rate is for batches of 512, but 2 x 64 makes 128: '
            '--auto-scale-lr adapts it.',
        ),
    ],
)
def test_learning_rate_note(world, enable, counts, note):
    cfg = Config(
        dict(
            auto_scale_lr=dict(base_batch_size=512, enable=enable),
            train_dataloader=dict(batch_size=64),
            optim_wrapper=dict(accumulative_counts=counts),
        )
    )
    assert learning_rate_note(cfg, world) == note
    cfg.train_dataloader.pop('batch_size')  # a batch sampler knows it
    assert learning_rate_note(cfg, world) == ''
    cfg.pop('auto_scale_lr')
    assert learning_rate_note(cfg, world) == ''
