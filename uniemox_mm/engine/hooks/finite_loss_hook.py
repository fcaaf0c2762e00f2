"""Stop a run whose loss is NaN or infinite."""

import math

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raise an error when a loss is NaN or infinite.

    Checks every ``interval`` iterations, since each check waits for the
    device, and at the end of every epoch, so that no checkpoint of broken
    weights replaces a good one.

    Args:
        interval (int): Iterations between two checks. Defaults to 50.

    Raises:
        FloatingPointError: A loss is not finite; the message names it.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Check the losses of this iteration."""
        due = self.every_n_train_iters(runner, self.interval)
        if not due and not self.end_of_epoch(
            runner.train_dataloader, batch_idx
        ):
            return
        for name, value in (outputs or {}).items():
            if 'loss' in name and not math.isfinite(value.item()):
                raise FloatingPointError(
                    f'{name} is {value.item()} in epoch {runner.epoch + 1}, '
                    f'iteration {runner.iter + 1}: stopped before a '
                    'checkpoint of these weights is saved. Resume from an '
                    'earlier one with a lower lr, or with --no-amp'
                )
