"""A progress bar for a terminal."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from tqdm import tqdm


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Shows the iterations done, the time left and the losses on stderr.

    MMEngine logs lines to stdout, so both can be had or either sent away.

    Args:
        interval (int): Iterations between two looks at the losses, each of
            which waits for the device. Defaults to 10.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._bar: tqdm | None = None

    def before_train(self, runner: Runner) -> None:
        """Opens the bar at the iteration that is resumed."""
        self._bar = tqdm(
            total=runner.max_iters,
            initial=runner.iter,
            desc='training',
            unit='it',
            leave=False,  # an error must stay the last thing on the screen
            disable=not is_main_process(),
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Moves the bar on."""
        assert self._bar is not None
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
        """Closes the bar."""
        if self._bar is not None:
            self._bar.leave = True
            self._bar.close()

    def before_test(self, runner: Runner) -> None:
        """Opens the bar of a test."""
        self._bar = tqdm(
            total=len(runner.test_dataloader),
            desc='testing',
            unit='batch',
            leave=False,
            disable=not is_main_process(),
        )

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Moves the bar of a test on."""
        assert self._bar is not None
        self._bar.update()

    def after_test(self, runner: Runner) -> None:
        """Closes the bar of a test."""
        if self._bar is not None:
            self._bar.close()
