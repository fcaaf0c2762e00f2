"""Fits a config to the machine."""

import os

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device


def use_amp(optim_wrapper: ConfigDict, amp: bool) -> None:
    """Switches mixed precision of an optimizer wrapper's config, in place.

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


def fit_to_machine(cfg: Config, launcher: str) -> list[str]:
    """Adapts a config that was written for GPUs to a machine without.

    Mixed precision becomes float32 and several processes talk through gloo.
    With an accelerator only the number of data workers may change.

    Args:
        cfg (Config): The config, changed in place.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Returns:
        list[str]: What was changed, a line each, for the user.

    Raises:
        ValueError: The launcher works with accelerators only.
    """
    notes = limit_workers(cfg)
    if get_device() != 'cpu':
        return notes
    if launcher not in ('none', 'pytorch'):
        raise ValueError(
            f'the launcher {launcher} needs accelerators, but this machine '
            'has none; for processes on the CPU use tools/dist_train.sh'
        )
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':
        use_amp(cfg.optim_wrapper, False)
        notes.append('No accelerator here: training in fp32 instead of AMP.')
    if launcher == 'pytorch':
        # MMEngine would ask for a GPU while it starts the process group.
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = {
            'type': 'MMDistributedDataParallel',
            'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False),
            **(cfg.get('model_wrapper_cfg') or {}),
            'device_ids': None,
        }
    return notes


def limit_workers(cfg: Config) -> list[str]:
    """Gives no data loader more workers than there are cores, in place.

    Returns:
        list[str]: What was changed, for the user.
    """
    cores = len(os.sched_getaffinity(0))
    changed = False
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader and loader.get('num_workers', 0) > cores:
            loader.num_workers = cores
            changed = True
    return [f'{cores} cores here: as many data workers.'] if changed else []


def learning_rate_note(cfg: Config, world_size: int) -> str:
    """Warns of a learning rate that is not meant for the real batch size.

    Args:
        cfg (Config): The config.
        world_size (int): Number of processes.

    Returns:
        str: One line, or nothing where the sizes agree, the rate is scaled,
        or the config does not say what it is for.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    base = scaling.get('base_batch_size')
    per_process = cfg.train_dataloader.get('batch_size')
    if base is None or per_process is None or scaling.get('enable'):
        return ''
    counts = cfg.optim_wrapper.get('accumulative_counts', 1)
    batch_size = world_size * per_process * counts
    if base == batch_size:
        return ''
    return (
        f'The learning rate is for batches of {base}, but {world_size} x '
        f'{per_process} makes {batch_size}: '
        '--auto-scale-lr adapts it.'
    )
