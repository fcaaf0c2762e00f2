"""Report the samples that were skipped in an epoch."""

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class BadSampleHook(Hook):
    """Count and list the samples that ``on_bad_sample='skip'`` left out.

    Workers report through the metainfo ``skipped`` of the sample that
    replaced a broken one.
    """

    priority = 'NORMAL'

    def before_train_epoch(self, runner: Runner) -> None:
        """Start counting."""
        self._skipped: list[str] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Collect the reports of a batch."""
        samples = (
            data_batch.get('data_samples') or ()
            if isinstance(data_batch, dict)
            else ()
        )
        for sample in samples:
            self._skipped += sample.get('skipped', ())

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the reports of all ranks."""
        reports = sorted(
            {r for part in all_gather_object(self._skipped) for r in part}
        )
        if reports:
            lines = ''.join(f'\n  {report}' for report in reports)
            runner.logger.warning(
                f'Epoch {runner.epoch + 1}: skipped {len(reports)} broken '
                f'samples:{lines}'
            )
