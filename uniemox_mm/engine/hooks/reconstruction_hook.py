"""Pictures of what a masked autoencoder has learnt so far."""

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
    picture_reconstructions,
    visible_patches,
)
from uniemox_mm.utils.figures import figure_pixels, picture_grid


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Shows the same masked images again and again while training goes on.

    Through the runner's visualizer, so they land where its backends put
    them: in ``vis_data/vis_image``, in TensorBoard, in Weights & Biases.
    Training stays the same to the bit, since nothing is drawn from its
    random numbers.

    Args:
        images (str | Sequence[str], optional): Paths of images. Defaults to
            some of the training dataset, spread over it.
        num (int): How many of the dataset. Defaults to 4.
        interval (int): Epochs, or iterations, between two pictures. Defaults
            to 10.
        by_epoch (bool): Which of them. Defaults to True.
        mask_ratio (float, optional): Share of the patches that is hidden.
            Defaults to that of the training.
        seed (int): Of the masks. Defaults to 0.

    Raises:
        ValueError: The model reconstructs no images, its weights are sharded
            (FSDP), a number makes no sense, or an image cannot be used.
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
        """Reads the images, and refuses what would fail later."""
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
        """Shows them after some epochs."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._show(runner, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Shows them after some iterations."""
        if not self.by_epoch and self.every_n_train_iters(
            runner, self.interval
        ):
            self._show(runner, runner.iter + 1)

    @master_only
    def _show(self, runner: Runner, iteration: int) -> None:
        assert self.mask_ratio is not None
        found = picture_reconstructions(
            _unwrapped(runner), self._batch, self._order, self.mask_ratio
        )
        columns = dict(
            original=found.original,
            masked=found.masked,
            reconstruction=found.painted,
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
