"""A hook that ends its own process, for the tests of resuming."""

import os
import signal

from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """Send a signal to this process at a chosen place.

    Args:
        sig (str): Name of the signal.
        place (str): Name of the hook method to do it in, or 'fsync': while a
            checkpoint is being written.
        count (int): At which of its calls, from 1.
        rank (int, optional): Only on this rank.
    """

    priority = 'VERY_LOW'

    def __init__(self, sig, place, count, rank=None) -> None:
        self.sig = getattr(signal, sig)
        self.left = count
        self.at_fsync = False
        if rank not in (None, int(os.environ.get('RANK', '0'))):
            return
        self.at_fsync = place == 'fsync'
        if not self.at_fsync:
            setattr(self, place, self.call)

    def before_train(self, runner) -> None:
        if self.at_fsync:  # now that the caches of features are written
            os.fsync = self.call

    def call(self, *args, **kwargs) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.sig)
