"""Repeat the validation that a killed run may have missed."""

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class ResumedValidationHook(Hook):
    """Validate the epoch that a run resumes from.

    MMEngine saves an epoch before it validates it. A run that is killed in
    between is resumed with the next epoch, so that one would never be
    measured and could not be the best. Validating an epoch twice changes
    nothing.
    """

    priority = 'LOWEST'  # after CheckpointHook, which keeps the best

    def before_train(self, runner: Runner) -> None:
        """Validate once if the epoch was due for it."""
        loop = runner.train_loop
        if (
            not runner._resume
            or runner.val_loop is None
            or not isinstance(loop, EpochBasedTrainLoop)
            or runner.epoch < max(1, loop.val_begin)
        ):
            return
        last = runner.epoch == runner.max_epochs
        if last or runner.epoch % loop.val_interval == 0:
            runner.logger.info(f'Validating epoch {runner.epoch} again.')
            runner.val_loop.run()
