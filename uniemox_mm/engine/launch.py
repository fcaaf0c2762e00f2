"""Fit a config to the machine."""

import os
from collections.abc import Sequence

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.runner import FlexibleRunner

from .runners import check_strategy, fit_strategy_to_cpu, runner_class

# Variables that torchrun, Slurm and Open MPI set for their processes.
_RANK = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_WORLD_SIZE = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE')


def place_of_process(launcher: str) -> tuple[int, int]:
    """Return rank and number of processes before there is a process group.

    Args:
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
    """
    if launcher == 'none':
        return 0, 1
    return _variable(_RANK, 0), _variable(_WORLD_SIZE, 1)


def _variable(names: Sequence[str], default: int) -> int:
    found = [os.environ[name] for name in names if name in os.environ]
    return int(found[0]) if found else default


def use_amp(optim_wrapper: ConfigDict, amp: bool) -> None:
    """Switch mixed precision of an optimizer wrapper's config, in place.

    Args:
        optim_wrapper (ConfigDict): The config's ``optim_wrapper``.
        amp (bool): On, in bfloat16 unless the config names a ``dtype``; or
            off, in float32.
    """
    if amp:
        optim_wrapper.type = 'AmpOptimWrapper'
        optim_wrapper.setdefault('dtype', 'bfloat16')
        if optim_wrapper.dtype == 'bfloat16':
            # It has the exponents of float32: nothing to scale.
            optim_wrapper.setdefault('loss_scale', dict(enabled=False))
        return
    optim_wrapper.type = 'OptimWrapper'
    for key in ('dtype', 'loss_scale', 'use_fp64'):
        optim_wrapper.pop(key, None)


def switch_amp(cfg: Config, amp: bool) -> None:
    """Switch mixed precision of a config, in place, as :func:`use_amp`.

    With DeepSpeed switch the autocast that its engine runs under.
    """
    if cfg.optim_wrapper.get('type') != 'DeepSpeedOptimWrapper':
        use_amp(cfg.optim_wrapper, amp)
    elif amp:
        cfg.strategy.setdefault('autocast', 'bfloat16')
    else:
        cfg.strategy.pop('autocast', None)


def fit_to_machine(cfg: Config, launcher: str) -> list[str]:
    """Adapt a config that was written for GPUs to a machine without.

    Mixed precision becomes float32 and several processes talk through gloo.
    With an accelerator only the number of data workers may change.

    Args:
        cfg (Config): The config, changed in place.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Returns:
        list[str]: The changes, one line each, for the user.

    Raises:
        ValueError: The launcher works with accelerators only, or
            :func:`check_strategy` refuses the config.
    """
    check_strategy(cfg, launcher)
    notes = limit_workers(cfg)
    if get_device() != 'cpu':
        return notes
    if launcher not in ('none', 'pytorch'):
        raise ValueError(
            f'the launcher {launcher} needs accelerators, but this machine '
            'has none; for processes on the CPU use tools/dist_train.sh'
        )
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper' or 'autocast' in (
        cfg.get('strategy') or {}
    ):
        switch_amp(cfg, False)
        notes.append('No accelerator here: training in fp32 instead of AMP.')
    if launcher == 'pytorch':
        # MMEngine would ask for a GPU while it starts the process group.
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        if runner_class(cfg) is FlexibleRunner:
            fit_strategy_to_cpu(cfg)
            return notes
        cfg.model_wrapper_cfg = {
            'type': 'MMDistributedDataParallel',
            'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False),
            **(cfg.get('model_wrapper_cfg') or {}),
            'device_ids': None,
        }
    return notes


def limit_workers(cfg: Config) -> list[str]:
    """Limit the workers of each data loader to the cores, in place.

    Returns:
        list[str]: The change in one line, for the user.
    """
    cores = len(os.sched_getaffinity(0))
    loaders = [cfg.get(f'{s}_dataloader') for s in ('train', 'val', 'test')]
    limited = [x for x in loaders if x and x.get('num_workers', 0) > cores]
    for loader in limited:
        loader.num_workers = cores
    if not limited:
        return []
    return [f'Limited the data workers to the {cores} cores of this machine.']


def learning_rate_note(cfg: Config, world_size: int) -> str:
    """Warn about a learning rate that is meant for another batch size.

    Args:
        cfg (Config): The config.
        world_size (int): Number of processes.

    Returns:
        str: One line, or nothing if the sizes agree, the rate is scaled, or
        either size is unknown.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    base = scaling.get('base_batch_size')
    if base is None or scaling.get('enable'):
        return ''
    batch_size, product = _batch_size(cfg, world_size)
    if batch_size in (0, base):
        return ''
    return (
        f'The learning rate is for batches of {base}, but {product}: '
        '--auto-scale-lr adapts it.'
    )


def scale_learning_rate(cfg: Config, world_size: int) -> str:
    """Scale the learning rate with the batch size, in place, if enabled.

    The linear rule: the rate is proportional to the images per step of the
    optimizer, over all processes and accumulated batches. MMEngine's own
    scaling ignores accumulation, and DeepSpeed altogether.

    Args:
        cfg (Config): The config; ``auto_scale_lr`` has the batch size that
            the rate is for, and whether to scale (``enable``).
        world_size (int): Number of processes.

    Returns:
        str: The change in one line, or :func:`learning_rate_note`.

    Raises:
        ValueError: Scaling is enabled, but the batch size of a loader or the
            rate of an optimizer is unknown.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    if not scaling.get('enable'):
        return learning_rate_note(cfg, world_size)
    optimizer = cfg.optim_wrapper.get('optimizer') or {}
    base, before = scaling.get('base_batch_size'), optimizer.get('lr')
    batch_size, product = _batch_size(cfg, world_size)
    if base is None or before is None or not batch_size:
        raise ValueError(
            'auto_scale_lr needs auto_scale_lr.base_batch_size, '
            'train_dataloader.batch_size and optim_wrapper.optimizer.lr'
        )
    after = before * batch_size / base
    # The rate is for this size now, whoever reads the config that is dumped.
    scaling.update(base_batch_size=batch_size, enable=False)
    if base == batch_size:
        return ''
    optimizer.update(lr=after)
    return (
        f'The learning rate is for batches of {base}, and {product}: it '
        f'becomes {after:g} instead of {before:g}.'
    )


def _batch_size(cfg: Config, world_size: int) -> tuple[int, str]:
    """Images per optimizer step (0 if unknown), and the product as text."""
    # DeepSpeed's setting, or that of all other optimizers.
    counts = (cfg.get('strategy') or {}).get('gradient_accumulation_steps')
    counts = counts or cfg.optim_wrapper.get('accumulative_counts', 1)
    per_process = cfg.train_dataloader.get('batch_size') or 0
    size = world_size * per_process * counts
    accumulated = f' x {counts}' if counts > 1 else ''
    return size, f'{world_size} x {per_process}{accumulated} makes {size}'
