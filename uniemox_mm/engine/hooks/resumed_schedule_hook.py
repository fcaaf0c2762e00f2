"""Resume the schedule after the batch size or the config changed."""

import copy
from collections.abc import Sequence

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict, _ParamScheduler
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

# The counters of a scheduler, as opposed to its settings.
_COUNTED = ('last_step', '_global_step', '_last_value', 'base_values')


@HOOKS.register_module()
class ResumedScheduleHook(Hook):
    """Resume the schedule of the config at the epoch of the checkpoint.

    MMEngine resumes the count of iterations, the learning rate and the
    schedulers as they were saved. With another number of processes or another
    batch size an epoch has another number of iterations, and all of them are
    wrong; a learning rate or schedule that was changed in the config has no
    effect. With this hook the run resumes at the same epoch, counted in the
    iterations of now, with the rate that the config's schedule has there.

    A run in which none of it changed is resumed by MMEngine alone. Needs a
    loop that knows epochs and a single optimizer; elsewhere it warns where the
    batch size changed.
    """

    priority = 'VERY_HIGH'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Record batch size and epoch length with the checkpoint."""
        checkpoint['meta'].update(_units(runner))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Convert the counts in the checkpoint before MMEngine reads them.

        Raises:
            ValueError: The optimizer has other groups of parameters.
        """
        if not runner._resume or 'optimizer' not in checkpoint:
            return
        meta, now = checkpoint['meta'], _units(runner)
        epoch, then = meta['epoch'], _units_of(meta)
        resized = any(then[k] not in (None, now[k]) for k in now)
        if not _countable(runner):
            if resized:
                runner.logger.warning(
                    f'Batches of {now["batch_size"]} instead of '
                    f'{then["batch_size"]}: iterations and learning rate '
                    'continue as saved, since this hook needs epochs, one '
                    'optimizer, and schedules that do not use metrics.'
                )
            return
        schedulers = runner.param_schedulers or []
        groups = _groups(checkpoint['optimizer'])
        fresh = [
            {k: v for k, v in group.items() if k != 'params'}
            for group in runner.optim_wrapper.param_groups
        ]
        if len(groups) != len(fresh):
            raise ValueError(
                f'{runner._load_from}: its optimizer has {len(groups)} groups '
                f'of parameters, but that of the config {len(fresh)}'
            )
        saved = checkpoint.get('param_schedulers', [])
        if not resized and _same_schedule(schedulers, saved, fresh, groups):
            return
        iterations = meta['iter']
        if then['epoch_length']:
            iterations = round(
                iterations / then['epoch_length'] * now['epoch_length']
            )
        rate = groups[-1]['lr']
        moved = _advance(schedulers, fresh, iterations, now['epoch_length'])
        for group, values in zip(groups, fresh, strict=True):
            _restart(group, values)
        checkpoint['param_schedulers'] = [s.state_dict() for s in moved]
        runner.logger.info(
            f'The schedule of the config resumes after {epoch} of '
            f'{runner.max_epochs} epochs, in epochs of {now["epoch_length"]} '
            f'iterations with {now["batch_size"]} images each '
            f'({then["epoch_length"]} with {then["batch_size"] or "unknown"} '
            f'before): at iteration {iterations} instead of {meta["iter"]}, '
            f'with learning rate {groups[-1]["lr"]:.4g} instead of '
            f'{rate:.4g}.'
        )
        meta['iter'] = iterations


def _units(runner: Runner) -> dict[str, int]:
    """Return images per step of the optimizer and iterations per epoch."""
    loader = runner.train_dataloader
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    size = getattr(loader.batch_sampler, 'batch_size', loader.batch_size) or 1
    return dict(
        batch_size=get_world_size() * size * counts, epoch_length=len(loader)
    )


def _units_of(meta: dict) -> dict[str, int | None]:
    """Return the same of a checkpoint, None where unknown."""
    epoch, iterations = meta['epoch'], meta['iter']
    whole = epoch and iterations % epoch == 0
    return dict(
        batch_size=meta.get('batch_size'),
        epoch_length=meta.get(
            'epoch_length', iterations // epoch if whole else None
        ),
    )


def _countable(runner: Runner) -> bool:
    schedulers = runner.param_schedulers or []
    return (
        isinstance(runner.train_loop, EpochBasedTrainLoop)
        and not isinstance(runner.optim_wrapper, OptimWrapperDict)
        and isinstance(schedulers, list)
        and not any(getattr(s, 'need_val_args', False) for s in schedulers)
    )


def _groups(optimizer: dict) -> list[dict]:
    """Return the groups of a state in the order of the schedulers."""
    base = optimizer.get('base_param_settings')
    return optimizer['param_groups'] + ([base] if base else [])


def _scheduled(group: dict) -> list[str]:
    """List the keys that schedulers read and write; always the rate's.

    The rest, such as weight decay without a schedule, stays as it was saved.
    """
    names = {'lr'} | {
        key.removeprefix('initial_')
        for key in group
        if key.startswith('initial_')
    }
    written = names | ({'betas'} if 'momentum' in names else set())
    return [
        key
        for key in group
        # OneCycleLR has max_lr and min_lr too.
        if key in written or any(key.endswith(f'_{name}') for name in names)
    ]


def _restart(group: dict, values: dict) -> None:
    """Replace the values that schedulers wrote into a saved group."""
    for key in {*_scheduled(group), *_scheduled(values)}:
        group.pop(key, None)
        if key in values:
            group[key] = values[key]


def _start(group: dict) -> dict:
    """Return the values that the schedule starts from but does not write."""
    return {
        key: group[key]
        for key in _scheduled(group)
        if key != 'betas' and f'initial_{key}' not in group
    }


def _same_schedule(
    schedulers: Sequence[_ParamScheduler],
    saved: Sequence[dict],
    fresh: Sequence[dict],
    groups: Sequence[dict],
) -> bool:
    def settings(state: dict) -> dict:
        return {k: v for k, v in state.items() if k not in _COUNTED}

    now = [settings(scheduler.state_dict()) for scheduler in schedulers]
    return now == [settings(state) for state in saved] and all(
        _start(group) == _start(values)
        for values, group in zip(fresh, groups, strict=True)
    )


def _advance(
    schedulers: Sequence[_ParamScheduler],
    groups: list[dict],
    iterations: int,
    epoch_length: int,
) -> list[_ParamScheduler]:
    """Copy fresh schedulers and advance them by some iterations.

    They are stepped as in training, since only some of them have a closed
    form; ``groups`` is changed in place.
    """
    moved = [copy.copy(scheduler) for scheduler in schedulers]
    stand_in = _Groups(groups)
    for scheduler in moved:
        scheduler.optimizer = stand_in
    for iteration in range(1, iterations + 1):
        for scheduler in moved:
            if not scheduler.by_epoch:
                scheduler.step()
        if iteration % epoch_length == 0:
            for scheduler in moved:
                if scheduler.by_epoch:
                    scheduler.step()
    return moved


class _Groups:
    """The part of an optimizer that schedulers use."""

    _global_step = 0

    def __init__(self, param_groups: list[dict]) -> None:
        self.param_groups = param_groups

    def step(self) -> None:
        """Exists because schedulers check it."""

    step._with_counter = True  # type: ignore[attr-defined]
