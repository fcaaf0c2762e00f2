import pytest
from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner

from tests.helpers import tiny_config
from uniemox_mm.engine.runners import (
    build_runner,
    check_strategy,
    fit_strategy_to_cpu,
    runner_class,
    settings_read,
)

FLEXIBLE = dict(runner_type='FlexibleRunner')


def test_runner_class():
    assert runner_class(Config(dict())) is Runner
    assert runner_class(Config(FLEXIBLE)) is FlexibleRunner
    with pytest.raises(ValueError, match=r"'OtherRunner'.*Runner, Flexible"):
        runner_class(Config(dict(runner_type='OtherRunner')))


def test_settings_read():
    plain = settings_read(Config(dict()))
    flexible = settings_read(Config(FLEXIBLE))
    assert flexible - plain == {'strategy'}
    assert plain - flexible == {
        'activation_checkpointing',
        'efficient_conv_bn_eval',
        'find_unused_parameters',
        'model_wrapper_cfg',
        'sync_bn',
    }
    assert {'runner_type', 'train_dataloader', 'compile'} <= plain & flexible


FSDP = dict(strategy=dict(type='EmoFSDPStrategy'))
WRAPPER = dict(model_wrapper_cfg=dict(type='x'))


@pytest.mark.parametrize(
    ('settings', 'launcher', 'message'),
    [
        (FSDP, 'pytorch', "needs runner_type = 'FlexibleRunner'"),
        (
            dict(FLEXIBLE, **WRAPPER),
            'pytorch',
            'model_wrapper_cfg; .*strategy.model_wrapper ',
        ),
        (
            dict(FLEXIBLE, efficient_conv_bn_eval=['backbone']),
            'pytorch',
            'efficient_conv_bn_eval$',
        ),
        (
            dict(FLEXIBLE, **FSDP),
            'none',
            'EmoFSDPStrategy .*needs a launcher.*dist_train.sh',
        ),
    ],
)
def test_check_strategy_refuses(settings, launcher, message):
    with pytest.raises(ValueError, match=message):
        check_strategy(Config(settings), launcher)


def test_check_strategy_accepts():
    check_strategy(Config(WRAPPER), 'none')
    check_strategy(Config(dict(FLEXIBLE, **FSDP)), 'slurm')
    check_strategy(Config(FLEXIBLE), 'none')


def test_fit_strategy_to_cpu():
    cfg = Config(dict(FLEXIBLE))
    fit_strategy_to_cpu(cfg)
    assert cfg.strategy == dict(
        type='DDPStrategy',
        model_wrapper=dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            device_ids=None,
        ),
    )
    fsdp = Config(dict(FLEXIBLE, **FSDP))
    fit_strategy_to_cpu(fsdp)
    assert fsdp.strategy == FSDP['strategy']


def test_build_runner_passes_compile_on(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path, log_level='ERROR', **FLEXIBLE)
    cfg.experiment_name = 'compiled'
    cfg.compile = dict(mode='default')
    runner = build_runner(cfg)
    assert isinstance(runner, FlexibleRunner)
    assert runner._compile == dict(mode='default')
