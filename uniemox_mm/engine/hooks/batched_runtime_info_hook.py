"""Log losses without waiting for the device in every iteration."""

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor


@HOOKS.register_module()
class BatchedRuntimeInfoHook(RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, waiting for the device once per log.

    MMEngine fetches every loss in every iteration, and each fetch makes the
    host wait until the device is done, so that it cannot prepare the next
    step meanwhile. Here the losses of all iterations since the last log
    line stay on the device and are fetched in one piece when the next is
    due, when the epoch ends, or before a checkpoint. What is logged is the
    same.
    """

    def before_train(self, runner: Runner) -> None:
        """Start collecting."""
        super().before_train(runner)
        self._waiting: list[dict[str, Tensor]] = []
        self._intervals = [
            hook.interval
            for hook in runner.hooks
            if isinstance(hook, LoggerHook)
        ]

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Keep the losses of an iteration, or fetch all that are kept."""
        if outputs is None:
            return
        self._waiting.append(
            {
                name: value.detach() if isinstance(value, Tensor) else value
                for name, value in outputs.items()
            }
        )
        due = any(
            self.every_n_inner_iters(batch_idx, interval)
            for interval in self._intervals
        )
        if due or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self._fetch(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Fetch the rest."""
        self._fetch(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give the checkpoint the whole history."""
        if getattr(self, '_waiting', None):
            self._fetch(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def _fetch(self, runner: Runner) -> None:
        """Hand all that is waiting to MMEngine, in order."""
        tensors = [
            value.reshape(())
            for losses in self._waiting
            for value in losses.values()
            if isinstance(value, Tensor)
        ]
        values = (
            # Of several precisions the result has the widest.
            iter(torch.stack(tensors).tolist()) if tensors else iter(())
        )
        for losses in self._waiting:
            for name, value in losses.items():
                if isinstance(value, Tensor):
                    value = next(values)
                runner.message_hub.update_scalar(f'train/{name}', value)
        self._waiting = []
