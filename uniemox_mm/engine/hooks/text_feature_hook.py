"""Computes the text features before training, once."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from uniemox_mm.datasets import TextFeatures
from uniemox_mm.datasets.features.feature_folders import cache_folder, wait_for
from uniemox_mm.datasets.features.text_feature_cache import write_cache


@HOOKS.register_module()
class TextFeatureHook(Hook):
    """Gives the training dataset the teacher's features of its captions.

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

    priority = 'NORMAL'

    def __init__(
        self, folder: str | None = None, batch_size: int = 256
    ) -> None:
        self.folder = folder
        self.batch_size = batch_size

    def before_train(self, runner: Runner) -> None:
        """Opens the cache, after writing it where there is none."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if model.distill is None or not model.distill.needs_text:
            return
        dataset = runner.train_dataloader.dataset
        if not hasattr(dataset, 'attach_text_features'):
            raise TypeError(
                'TextFeatureHook needs EmoSet as the training dataset, not '
                f'{type(dataset).__name__}: without the hook captions are '
                'encoded in the step'
            )
        teacher = model.target_generator
        folder = Path(self.folder or cache_folder(dataset, 'text_features'))
        if not folder.exists():
            if is_main_process():
                write_cache(
                    folder,
                    dataset,
                    teacher,
                    self.batch_size,
                    runner.logger.info,
                )
            else:
                wait_for(folder, runner)
        dataset.attach_text_features(
            TextFeatures(folder, teacher.text_fingerprint(), len(dataset))
        )
