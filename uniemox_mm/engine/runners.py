"""MMEngine's two runners and the settings that each reads."""

import inspect

from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner

# Settings that both runners read beside their own arguments.
_OTHER_SETTINGS = ('auto_scale_lr', 'compile', 'custom_imports', 'runner_type')
# Further settings of Runner, and their place in FlexibleRunner if any.
_ELSEWHERE = {
    'activation_checkpointing': 'strategy.activation_checkpointing',
    'efficient_conv_bn_eval': None,
    'find_unused_parameters': 'strategy.model_wrapper.find_unused_parameters',
    'model_wrapper_cfg': 'strategy.model_wrapper',
    'sync_bn': 'strategy.sync_bn',
}


def runner_class(cfg: Config) -> type[Runner] | type[FlexibleRunner]:
    """Return the runner that ``runner_type`` of a config names.

    Raises:
        ValueError: An unknown runner.
    """
    name = cfg.get('runner_type', 'Runner')
    known = {'Runner': Runner, 'FlexibleRunner': FlexibleRunner}
    if name not in known:
        raise ValueError(
            f'runner_type is {name!r}; expected one of {", ".join(known)}'
        )
    return known[name]


def build_runner(cfg: Config) -> Runner | FlexibleRunner:
    """Build the runner of a config."""
    runner = runner_class(cfg).from_cfg(cfg)
    if isinstance(runner, FlexibleRunner):
        runner._compile = cfg.get('compile', False)  # from_cfg leaves it out
    return runner


def settings_read(cfg: Config) -> set[str]:
    """Return the top-level settings that training with a config reads."""
    kind = runner_class(cfg)
    read = {*inspect.signature(kind.__init__).parameters, *_OTHER_SETTINGS}
    return read if kind is FlexibleRunner else read | set(_ELSEWHERE)


def check_strategy(cfg: Config, launcher: str) -> None:
    """Refuse settings of the runner that have no effect, or fail later.

    Args:
        cfg (Config): The config.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ValueError: The runner does not read a setting that the config has,
            or the strategy needs a launcher.
    """
    if runner_class(cfg) is Runner:
        if cfg.get('strategy'):
            raise ValueError(
                "strategy needs runner_type = 'FlexibleRunner': MMEngine's "
                'Runner does not read it'
            )
        return
    for key, place in _ELSEWHERE.items():
        if cfg.get(key):
            raise ValueError(
                f'FlexibleRunner does not read {key}'
                + (f'; set {place} instead' if place else '')
            )
    kind = (cfg.get('strategy') or {}).get('type', '')
    shards = 'FSDP' in kind or 'DeepSpeed' in kind
    if shards and launcher == 'none':
        raise ValueError(
            f'{kind} shards over processes, so it needs a launcher, for one '
            'GPU as well: bash tools/dist_train.sh CONFIG GPUS'
        )


def fit_strategy_to_cpu(cfg: Config) -> None:
    """Adapt the strategy to gloo processes without accelerators, in place.

    ``EmoFSDPStrategy`` does so itself.
    """
    cfg.strategy = cfg.get('strategy') or dict(type='DDPStrategy')
    if cfg.strategy.get('type') == 'DDPStrategy':
        cfg.strategy.model_wrapper = {
            'type': 'MMDistributedDataParallel',
            'broadcast_buffers': False,
            **(cfg.strategy.get('model_wrapper') or {}),
            'device_ids': None,
        }
