"""Computes the text features before training, once."""

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
        folder (str): The cache, on a file system that all nodes see.
        batch_size (int): Captions encoded at a time. Defaults to 256.

    Raises:
        ValueError: The cache belongs to other captions or another teacher.
    """

    priority = 'NORMAL'

    def __init__(self, folder: str, batch_size: int = 256) -> None:
        self.folder = Path(folder)
        self.batch_size = batch_size

    def before_train(self, runner: Runner) -> None:
        """Opens the cache, after writing it where there is none."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        if model.distill is None or not model.distill.needs_text:
            return
        dataset = runner.train_dataloader.dataset
        teacher = model.target_generator
        fingerprint = teacher.text_fingerprint()
        if not self.folder.exists():
            if is_main_process():
                self._write(runner, dataset, teacher, fingerprint)
            else:
                # A barrier would time out on a large dataset.
                while not self.folder.exists():
                    time.sleep(1)
        dataset.attach_text_features(
            TextFeatures(self.folder, fingerprint, len(dataset))
        )

    def _write(self, runner, dataset, teacher, fingerprint: dict) -> None:
        count = len(dataset)
        runner.logger.info(
            f'Computing the text features of {count} captions, once, into '
            f'{self.folder}'
        )
        with ThreadPoolExecutor(16) as pool:  # waits for the disk, mostly
            reading = pool.map(dataset.caption_or_blank, range(count))
            captions = list(tqdm(reading, 'captions', count, leave=False))
        with tqdm(desc='text features', leave=False) as bar:
            write_text_features(
                self.folder,
                captions,
                lambda batch: teacher.encode_text(batch).cpu().numpy(),
                fingerprint,
                self.batch_size,
                lambda done: bar.update(done - bar.n),
            )
