"""Computes the teacher's image features before training, once."""

from pathlib import Path

from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.datasets import ImageFeatures
from uniemox_mm.datasets.features.feature_folders import cache_folder, wait_for
from uniemox_mm.datasets.features.image_feature_cache import (
    compute_image_features,
)


@HOOKS.register_module()
class ImageFeatureHook(Hook):
    """Gives the training dataset the teacher's features of its images.

    Off in the paper's configs. The teacher then does not run in the step,
    which saves its forward pass, but its target is that of the whole image
    instead of the crop that the student sees, so this is another training.
    The first run writes a cache, to which every process contributes; later
    runs open it. Does nothing where nothing is distilled.

    Args:
        folder (str, optional): The cache, on a file system that all nodes
            see. Defaults to ``image_features_<splits>`` in the data root.
        batch_size (int): Images encoded at a time. Defaults to 64.

    Raises:
        TypeError: The training dataset cannot take image features.
        ValueError: The cache belongs to other images or another teacher, or
            the pipeline drops the features.
        OSError: The cache cannot be written.
    """

    priority = 'NORMAL'

    def __init__(
        self, folder: str | None = None, batch_size: int = 64
    ) -> None:
        self.folder = folder
        self.batch_size = batch_size

    def before_train(self, runner: Runner) -> None:
        """Opens the cache, after writing it where there is none."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if model.distill is None:
            return
        dataset = runner.train_dataloader.dataset
        if not hasattr(dataset, 'attach_image_features'):
            raise TypeError(
                'ImageFeatureHook needs EmoSet as the training dataset, not '
                f'{type(dataset).__name__}: without the hook images are '
                'encoded in the step'
            )
        if "'image_feature'" not in repr(dataset.pipeline):
            raise ValueError(
                'the training pipeline drops the image features: name '
                "'image_feature' in algorithm_keys of its PackInputs"
            )
        teacher = model.target_generator
        folder = Path(self.folder or cache_folder(dataset, 'image_features'))
        if not folder.exists():
            compute_image_features(
                folder,
                dataset,
                teacher,
                self.batch_size,
                runner.train_dataloader.num_workers,
                get_rank(),
                get_world_size(),
                runner.logger.info,
            )
            wait_for(folder, runner)
        dataset.attach_image_features(
            ImageFeatures(folder, teacher.image_fingerprint(), len(dataset))
        )
