"""Reconstructions of fixed images while a masked autoencoder trains."""

from collections.abc import Sequence

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch.distributed.fsdp import FullyShardedDataParallel

from uniemox_mm.datasets.center_crops import center_crops, spread_paths
from uniemox_mm.models.selfsup.reconstruction import (
    check_reconstructs,
    draw_masks,
    render_reconstructions,
    visible_patches,
)
from uniemox_mm.utils.figures import figure_pixels, picture_grid


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Add reconstructions of fixed masked images to the visualizer.

    The visualizer's backends put them into ``vis_data/vis_image``,
    TensorBoard or Weights & Biases. Training stays the same to the bit, since
    nothing is drawn from its random numbers.

    Args:
        images (str | Sequence[str], optional): Paths of images. Defaults to
            ``num`` images, evenly spread over the training dataset.
        num (int): Number of images of the dataset. Defaults to 4.
        interval (int): Epochs, or iterations, between two pictures. Defaults
            to 10.
        by_epoch (bool): Whether ``interval`` counts epochs. Defaults to True.
        mask_ratio (float, optional): Ratio of hidden patches. Defaults to
            that of the training.
        seed (int): Of the masks. Defaults to 0.

    Raises:
        ValueError: The model reconstructs no images, its weights are sharded
            (FSDP), a number is out of range, or an image cannot be used.
    """

    priority = 'LOW'

    def __init__(
        self,
        images: str | Sequence[str] | None = None,
        num: int = 4,
        interval: int = 10,
        by_epoch: bool = True,
        mask_ratio: float | None = None,
        seed: int = 0,
    ) -> None:
        if num < 1 or interval < 1:
            raise ValueError(
                f'num and interval must be positive: {num}, {interval}'
            )
        self.images = [images] if isinstance(images, str) else images
        self.num = num
        self.interval = interval
        self.by_epoch = by_epoch
        self.mask_ratio = mask_ratio
        self.seed = seed

    def before_train(self, runner: Runner) -> None:
        """Read the images, and refuse at once what would fail later."""
        model = _unwrapped(runner)
        if any(
            isinstance(part, FullyShardedDataParallel)
            for part in runner.model.modules()
        ):
            raise ValueError(
                'ReconstructionHook runs in one process, which under FSDP has '
                'only a part of the weights: take the hook out and use '
                'tools/visualization/reconstruct.py on the checkpoints'
            )
        check_reconstructs(model)
        backbone = model.backbone
        if self.mask_ratio is None:
            self.mask_ratio = backbone.mask_ratio
        visible_patches(backbone.num_patches, self.mask_ratio)
        if not is_main_process():
            return
        dataset = runner.train_dataloader.dataset
        paths = self.images or spread_paths(dataset, self.num)
        self._batch = center_crops(paths, backbone.img_size[0])
        self._order = draw_masks(
            len(self._batch), backbone.num_patches, self.seed
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Show them every ``interval`` epochs."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._show(runner, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Show them every ``interval`` iterations."""
        if not self.by_epoch and self.every_n_train_iters(
            runner, self.interval
        ):
            self._show(runner, runner.iter + 1)

    @master_only
    def _show(self, runner: Runner, iteration: int) -> None:
        assert self.mask_ratio is not None
        found = render_reconstructions(
            _unwrapped(runner), self._batch, self._order, self.mask_ratio
        )
        columns = dict(
            original=found.original,
            masked=found.masked,
            reconstruction=found.reconstruction,
            pasted=found.pasted,
        )
        rows = [
            [(picture, '') for picture in row]
            for row in zip(*columns.values(), strict=True)
        ]
        sheet = figure_pixels(picture_grid(list(columns), rows))
        # Iterations, as the losses have them beside it.
        runner.visualizer.add_image('reconstruction', sheet, step=iteration)


def _unwrapped(runner: Runner):
    model = runner.model
    return model.module if is_model_wrapper(model) else model
