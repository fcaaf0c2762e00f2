"""A progress bar for a terminal."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from tqdm import tqdm


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show the iterations done, the time left and the losses on stderr.

    MMEngine logs lines to stdout, so each can be redirected by itself.

    Args:
        interval (int): Iterations between two updates of the losses, each of
            which waits for the device. Defaults to 10.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Open the bar at the iteration that the run starts or resumes at."""
        self._open('training', 'it', runner.max_iters, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Advance the bar."""
        if self.every_n_train_iters(runner, self.interval) and outputs:
            losses = {
                name.removeprefix('loss_'): f'{value.item():.3f}'
                for name, value in outputs.items()
                if 'loss' in name
            }
            epoch = f'{runner.epoch + 1}/{runner.max_epochs}'
            self._bar.set_postfix(dict(epoch=epoch, **losses), refresh=False)
        self._bar.update()

    def after_train(self, runner: Runner) -> None:
        """Close the bar and leave it on the screen."""
        self._bar.leave = True
        self._bar.close()

    def before_test(self, runner: Runner) -> None:
        """Open the bar of a test."""
        self._open('testing', 'batch', len(runner.test_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Advance the bar of a test."""
        self._bar.update()

    def after_test(self, runner: Runner) -> None:
        """Close the bar of a test."""
        self._bar.close()

    def _open(self, desc: str, unit: str, total: int, done: int = 0) -> None:
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=desc,
            unit=unit,
            leave=False,  # an error must stay the last thing on the screen
            disable=not is_main_process(),
        )
