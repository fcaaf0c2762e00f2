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


def test_the_config_names_the_runner():
    assert runner_class(Config(dict())) is Runner
    assert runner_class(Config(FLEXIBLE)) is FlexibleRunner
    with pytest.raises(ValueError) as error:
        runner_class(Config(dict(runner_type='OtherRunner')))
    assert str(error.value) == (
        "runner_type is 'OtherRunner'; expected one of Runner, FlexibleRunner"
    )


def test_settings_that_each_reads():
    plain = settings_read(Config(dict()))
    flexible = settings_read(Config(FLEXIBLE))
    assert flexible - plain == {'strategy', 'compile'} - plain
    assert {'model_wrapper_cfg', 'sync_bn'} <= plain - flexible
    assert {'runner_type', 'train_dataloader', 'compile'} <= plain & flexible


@pytest.mark.parametrize(
    ('settings', 'launcher', 'message'),
    [
        (
            dict(strategy=dict(type='EmoFSDPStrategy')),
            'pytorch',
            "strategy needs runner_type = 'FlexibleRunner': MMEngine's Runner "
            'does not read it',
        ),
        (
            dict(FLEXIBLE, model_wrapper_cfg=dict(type='x')),
            'pytorch',
            'FlexibleRunner does not read model_wrapper_cfg; it has '
            'strategy.model_wrapper for it',
        ),
        (
            dict(FLEXIBLE, efficient_conv_bn_eval=['backbone']),
            'pytorch',
            'FlexibleRunner does not read efficient_conv_bn_eval',
        ),
        (
            dict(FLEXIBLE, strategy=dict(type='EmoFSDPStrategy')),
            'none',
            'EmoFSDPStrategy shards over processes, so it needs a launcher, '
            'for one GPU as well: bash tools/dist_train.sh CONFIG GPUS',
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(settings, launcher, message):
    with pytest.raises(ValueError) as error:
        check_strategy(Config(settings), launcher)
    assert str(error.value) == message


def test_what_is_right_is_not_refused():
    check_strategy(Config(dict(model_wrapper_cfg=dict(type='x'))), 'none')
    strategy = dict(type='EmoFSDPStrategy')
    check_strategy(Config(dict(FLEXIBLE, strategy=strategy)), 'slurm')
    check_strategy(Config(dict(FLEXIBLE)), 'none')


def test_ddp_of_the_flexible_runner_on_cpus():
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
    fsdp = Config(dict(FLEXIBLE, strategy=dict(type='EmoFSDPStrategy')))
    fit_strategy_to_cpu(fsdp)
    assert fsdp.strategy == dict(type='EmoFSDPStrategy')


def test_compiling_reaches_the_flexible_runner(drawn, tmp_path):
    cfg = tiny_config(drawn, tmp_path, log_level='ERROR', **FLEXIBLE)
    cfg.experiment_name = 'compiled'
    cfg.compile = dict(mode='default')
    runner = build_runner(cfg)
    assert isinstance(runner, FlexibleRunner)
    assert runner._compile == dict(mode='default')
