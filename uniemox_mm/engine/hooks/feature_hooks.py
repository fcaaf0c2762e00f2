"""Hooks that compute the teacher's features before training, once."""

from pathlib import Path
from typing import Any, ClassVar

from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.datasets import ImageFeatures, TextFeatures
from uniemox_mm.datasets.features.feature_cache import (
    FeatureCache,
    cache_folder,
    has_features,
    wait_for_features,
)
from uniemox_mm.datasets.features.image_features import compute_image_features
from uniemox_mm.datasets.features.text_features import compute_text_features


class FeatureHook(Hook):
    """Base of the hooks that give the training dataset cached features.

    Args:
        folder (str, optional): The cache, on a file system that all nodes
            see. Defaults to ``<kind>_features_<splits>`` in the data root.
        batch_size (int): Samples encoded at a time.
    """

    priority = 'NORMAL'
    kind: ClassVar[str]
    encoded: ClassVar[str]
    features: ClassVar[type[FeatureCache]]

    def __init__(self, folder: str | None, batch_size: int) -> None:
        self.folder = folder
        self.batch_size = batch_size

    def before_train(self, runner: Runner) -> None:
        """Open the cache, after computing it if there is none."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if not self._is_needed(model.distill):
            return
        dataset = runner.train_dataloader.dataset
        attach = getattr(dataset, f'attach_{self.kind}_features', None)
        if attach is None:
            raise TypeError(
                f'{type(self).__name__} needs EmoSet as the training dataset, '
                f'not {type(dataset).__name__}: without the hook '
                f'{self.encoded} are encoded in the step'
            )
        self._check_pipeline(dataset)
        teacher = model.target_generator
        folder = Path(
            self.folder or cache_folder(dataset, f'{self.kind}_features')
        )
        if not has_features(folder):
            self._compute(folder, dataset, teacher, runner)
            # Other ranks log nothing below a warning.
            wait_for_features(folder, runner.logger.warning)
        fingerprint = getattr(teacher, f'{self.kind}_fingerprint')()
        attach(self.features(folder, fingerprint, len(dataset)))

    def _is_needed(self, distill: Any) -> bool:
        return distill is not None

    def _check_pipeline(self, dataset: Any) -> None:
        pass

    def _compute(
        self, folder: Path, dataset: Any, teacher: Any, runner: Runner
    ) -> None:
        raise NotImplementedError


@HOOKS.register_module()
class TextFeatureHook(FeatureHook):
    """Give the training dataset the teacher's features of its captions.

    Captions never change during training, so encoding them in every step
    would repeat the same work every epoch. The first run writes a cache;
    later runs open it. Without this hook the model encodes the captions in
    the step. Does nothing where L2 is off.

    Args:
        folder (str, optional): The cache, on a file system that all nodes
            see. Defaults to ``text_features_<splits>`` in the data root.
        batch_size (int): Captions encoded at a time. Defaults to 256.

    Raises:
        TypeError: The training dataset cannot take text features.
        ValueError: The cache belongs to other captions or another teacher.
        OSError: The cache cannot be written.
    """

    kind = 'text'
    encoded = 'captions'
    features = TextFeatures

    def __init__(
        self, folder: str | None = None, batch_size: int = 256
    ) -> None:
        super().__init__(folder, batch_size)

    def _is_needed(self, distill: Any) -> bool:
        return distill is not None and distill.needs_text

    def _compute(
        self, folder: Path, dataset: Any, teacher: Any, runner: Runner
    ) -> None:
        if get_rank() == 0:
            compute_text_features(
                folder, dataset, teacher, self.batch_size, runner.logger.info
            )


@HOOKS.register_module()
class ImageFeatureHook(FeatureHook):
    """Give the training dataset the teacher's features of its images.

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

    kind = 'image'
    encoded = 'images'
    features = ImageFeatures

    def __init__(
        self, folder: str | None = None, batch_size: int = 64
    ) -> None:
        super().__init__(folder, batch_size)

    def _check_pipeline(self, dataset: Any) -> None:
        if "'image_feature'" not in repr(dataset.pipeline):
            raise ValueError(
                'the training pipeline drops the image features: name '
                "'image_feature' in algorithm_keys of its PackInputs"
            )

    def _compute(
        self, folder: Path, dataset: Any, teacher: Any, runner: Runner
    ) -> None:
        compute_image_features(
            folder,
            dataset,
            teacher,
            self.batch_size,
            runner.logger.info,
            runner.train_dataloader.num_workers,
            get_rank(),
            get_world_size(),
        )
