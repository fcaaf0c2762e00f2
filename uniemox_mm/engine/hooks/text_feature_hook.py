"""Computes the text features before training, once."""

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from tqdm import tqdm

from uniemox_mm.datasets import TextFeatures, write_text_features


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
        fingerprint = teacher.text_fingerprint()
        name = f'text_features_{"+".join(dataset.splits)}'
        if dataset.fraction < 1:
            name += f'_fraction{dataset.fraction}_seed{dataset.seed}'
        folder = Path(self.folder or Path(dataset.data_root) / name)
        if not folder.exists():
            if is_main_process():
                self._write(folder, runner, dataset, teacher, fingerprint)
            else:
                _wait_for(folder, runner)
        dataset.attach_text_features(
            TextFeatures(folder, fingerprint, len(dataset))
        )

    def _write(
        self, folder: Path, runner, dataset, teacher, fingerprint: dict
    ) -> None:
        if not os.access(_existing(folder.parent), os.W_OK):
            raise PermissionError(
                f'{folder}: the text features cannot be written there; give '
                'default_hooks.text_features.folder another path'
            )
        count = len(dataset)
        runner.logger.info(
            f'Computing the text features of {count} captions, once, into '
            f'{folder}'
        )
        with ThreadPoolExecutor(16) as pool:  # waits for the disk, mostly
            reading = pool.map(dataset.caption_or_blank, range(count))
            captions = list(tqdm(reading, 'captions', count, leave=False))
        with tqdm(desc='text features', leave=False) as bar:
            write_text_features(
                folder,
                captions,
                lambda batch: teacher.encode_text(batch).cpu().numpy(),
                fingerprint,
                self.batch_size,
                lambda done: bar.update(done - bar.n),
            )


def _wait_for(folder: Path, runner: Runner) -> None:
    """Waits for the first process; a barrier would time out on much data."""
    for second in itertools.count():
        if folder.exists():
            return
        if second % 60 == 30:
            # Other ranks log nothing below a warning.
            runner.logger.warning(
                f'Waiting for the first process to write {folder}, which must '
                'be on a file system that all nodes see.'
            )
        time.sleep(1)


def _existing(path: Path) -> Path:
    """The nearest folder above that is there already."""
    return path if path.exists() else _existing(path.parent)
