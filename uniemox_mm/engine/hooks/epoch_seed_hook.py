"""Make a resumed run equal to one that was never interrupted."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.datasets.sample_randomness import derive_seed


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Make all randomness of an epoch a function of (seed, epoch, rank).

    MMEngine's checkpoints hold the seed and the epoch but no generator
    states, and its data workers carry theirs from epoch to epoch, so a
    resumed run sees other masks and crops. With this hook

    - masks and all other draws of the process follow from (seed, epoch,
      rank),
    - the order of the samples follows from (seed, epoch), with the seed of
      the checkpoint that is resumed,
    - the augmentation of a sample follows from (seed, epoch, index), for
      datasets with ``set_epoch``, whatever the number of workers.

    Needs a loop that knows epochs; in another it warns and does nothing.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Restore the seed of the run, which resuming may have changed."""
        self._active = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if not self._active:
            runner.logger.warning(
                f'{type(runner.train_loop).__name__} has no epochs: when this '
                'run is resumed, masks, order and augmentation will not '
                'repeat exactly.'
            )
            return
        seeds = [runner.seed]  # differs by rank with diff_rank_seed
        broadcast_object_list(seeds)
        self._seed = seeds[0]
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'seed'):
            sampler.seed = self._seed
        if not list(_seedable(runner.train_dataloader.dataset)):
            runner.logger.warning(
                'The training dataset has no set_epoch: its augmentation '
                'will not repeat exactly when this run is resumed.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Reseed the process and set the epoch of the dataset."""
        if not self._active:
            return
        self._reseed(runner)
        for dataset in _seedable(runner.train_dataloader.dataset):
            dataset.set_epoch(self._seed, runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None
    ) -> None:
        """Reseed again once the workers run.

        Starting them draws from torch's generator, and those that live on
        from the epoch before are not started again.
        """
        if self._active and batch_idx == 0:
            self._reseed(runner)

    def _reseed(self, runner: Runner) -> None:
        seed = derive_seed(self._seed, runner.epoch, get_rank())
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)  # every device


def _seedable(dataset) -> Iterator:
    """Yield the datasets with ``set_epoch`` inside MMEngine's wrappers."""
    if hasattr(dataset, 'set_epoch'):
        yield dataset
    inner = getattr(dataset, 'datasets', None)
    if inner is None and hasattr(dataset, 'dataset'):
        inner = [dataset.dataset]
    for child in inner or ():
        yield from _seedable(child)
