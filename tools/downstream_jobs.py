"""One run on one dataset: its commands, and the settings of its result."""

import argparse
import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.read_config import LOADERS, read_config
from uniemox_mm.engine.resuming import find_checkpoint
from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.check_same_settings import check_same_settings
from uniemox_mm.utils.json_files import read_json
from uniemox_mm.utils.sha256_file import sha256_file

PLACEHOLDER = '{dataset}'
SETTINGS, RESULT, LOG = 'job.json', 'test/metrics.json', 'console.log'


@dataclass(frozen=True)
class Recipe:
    """The settings of all runs.

    Attributes:
        checkpoint (str | None): Start weights, a file or an address; None
            for those of the config, if any.
        out (Path): Folder with a folder for each job.
        tools (Path): Folder of ``train.py``, ``test.py`` and ``knn.py``.
        config (str): Config to train with; with ``{dataset}`` in it, one for
            each dataset, otherwise one for any.
        knn_config (str | None): The same for k-NN.
        options (tuple[str, ...]): Overrides for training and testing.
        gpus (int): Processes to train with.
        auto_scale_lr (bool): Whether the learning rate follows the batch.
    """

    checkpoint: str | None
    out: Path
    tools: Path
    config: str
    knn_config: str | None = None
    options: tuple[str, ...] = ()
    gpus: int = 1
    auto_scale_lr: bool = False

    @cached_property
    def weights(self) -> str | None:
        """SHA-256 of the checkpoint, or its address."""
        if self.checkpoint is None or '://' in self.checkpoint:
            return self.checkpoint
        return sha256_file(self.checkpoint)


@dataclass(frozen=True)
class Job:
    """A recipe on one dataset.

    Attributes:
        recipe (Recipe): The recipe.
        dataset (str): A key of :data:`NAMED_DATASETS`.
        root (Path): Where it is.
        fraction (float | None): Fraction of the training images; None for
            what the config says.
        knn (bool): k-NN instead of training.
    """

    recipe: Recipe
    dataset: str
    root: Path
    fraction: float | None = None
    knn: bool = False

    @property
    def title(self) -> str:
        """Its name in messages."""
        name = NAMED_DATASETS[self.dataset].title
        if self.knn:
            return f'{name}, k-NN'
        if self.fraction is None:
            return name
        return f'{name}, {100 * self.fraction:g} % of train'

    @property
    def folder(self) -> Path:
        """Work dir, and folder of the log and the results."""
        part = 'knn' if self.knn else self.fraction
        name = self.dataset if part is None else f'{self.dataset}_{part}'
        return self.recipe.out / name

    @property
    def log(self) -> Path:
        """File of all output."""
        return self.folder / LOG

    @property
    def config(self) -> str:
        """Path of the config."""
        return self._pattern.replace(PLACEHOLDER, self.dataset)

    @property
    def options(self) -> tuple[str, ...]:
        """Overrides of the config."""
        if self.knn:
            return ()
        if self.fraction is None:
            return self.recipe.options
        fraction = f'train_dataloader.dataset.fraction={self.fraction}'
        return (*self.recipe.options, fraction)

    @cached_property
    def cfg(self) -> Config:
        """The config as the tools will read it."""
        return read_as_tools_do(
            self.config,
            self.options,
            self._dataset_argument,
            str(self.root.resolve()),
        )

    @cached_property
    def settings(self) -> dict:
        """Fingerprint of the run, to detect stale results."""
        content = json.dumps(self.cfg.to_dict(), sort_keys=True, default=repr)
        settings = dict(
            weights=self.recipe.weights,
            config_sha256=hashlib.sha256(content.encode()).hexdigest(),
            data_root=str(self.root.resolve()),
        )
        if not self.knn:
            settings.update(
                fraction=self.fraction,
                cfg_options=self.recipe.options,
                gpus=self.recipe.gpus,
                auto_scale_lr=self.recipe.auto_scale_lr,
            )
        return settings

    def check_settings(self) -> None:
        """Check that what is there was made with the same settings.

        That a checkpoint or a config was moved does not matter if its content
        is the same. A run that failed before it made anything can be tried
        with others.

        Raises:
            ValueError: It was made with others, or its settings are missing.
        """
        made = any(self.folder.glob('*.pth')) or self.metrics() is not None
        if not made:
            return
        remedy = f'give another --out, or remove {self.folder} to start over'
        path = self.folder / SETTINGS
        if not path.is_file():
            raise ValueError(
                f'{self.folder}: cannot tell how it was made, since it has '
                f'no {SETTINGS}; {remedy}'
            )
        stored = read_json(path)
        for name in ('checkpoint', 'config'):  # paths
            stored.pop(name, None)
        check_same_settings(stored, self.settings, self.folder, remedy)

    def write_settings(self) -> None:
        """Write the settings before anything is made."""
        paths = dict(checkpoint=self.recipe.checkpoint, config=self.config)
        with atomic_file(self.folder / SETTINGS) as file:
            json.dump({**paths, **self.settings}, file, indent=1)

    def metrics(self) -> dict | None:
        """Return the results, or None while there are none."""
        path = self.folder / RESULT
        return read_json(path) if path.is_file() else None

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Yield what is left to do: a word for it and the command."""
        recipe, tools = self.recipe, self.recipe.tools
        common = ['--data-root', str(self.root)]
        if self._dataset_argument:
            common += ['--dataset', self._dataset_argument]
        if self.options:
            common += ['--cfg-options', *self.options]
        out = self.folder / Path(RESULT).parent
        results = ['--out', str(out), *common]
        if self.knn:
            assert recipe.checkpoint is not None
            start = [sys.executable, str(tools / 'knn.py'), self.config]
            yield 'testing', [*start, recipe.checkpoint, *results]
            return
        if recipe.gpus > 1:
            script = str(tools / 'dist_train.sh')
            train = ['bash', script, self.config, str(recipe.gpus)]
        else:
            train = [sys.executable, str(tools / 'train.py'), self.config]
        train += ['--work-dir', str(self.folder)]
        if recipe.checkpoint is not None:
            train += ['--load-from', recipe.checkpoint]
        if recipe.auto_scale_lr:
            train.append('--auto-scale-lr')
        newest = find_checkpoint(self.folder)
        if newest is not None:
            train.append('--resume')
        what = f'training from {newest.name} on' if newest else 'training'
        yield what, [*train, *common]
        test = [sys.executable, str(tools / 'test.py'), self.config]
        yield 'testing', [*test, str(self.folder), *results]

    @property
    def _pattern(self) -> str:
        if not self.knn:
            return self.recipe.config
        assert self.recipe.knn_config is not None
        return self.recipe.knn_config

    @property
    def _dataset_argument(self) -> str | None:
        return None if PLACEHOLDER in self._pattern else self.dataset


def read_as_tools_do(
    path: str, options: Sequence[str], dataset: str | None, data_root: str
) -> Config:
    """Read a config as ``tools/train.py`` does, with the same environment.

    Args:
        path (str): The config.
        options (Sequence[str]): Arguments of ``--cfg-options``.
        dataset (str | None): Argument of ``--dataset``.
        data_root (str): Argument of ``--data-root``.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It is for another dataset, or an override is malformed.
    """
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument('--cfg-options', nargs='*', action=CfgOptions)
    try:
        given = parser.parse_args(['--cfg-options', *options])
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    before = os.environ.get('DATASET')
    try:
        with _only_warnings():
            return read_config(path, given.cfg_options, dataset, data_root)
    finally:
        os.environ.pop('DATASET', None)
        if before is not None:
            os.environ['DATASET'] = before


def check_data(cfg: Config) -> None:
    """List the images of all splits.

    Raises:
        Exception: The data are not laid out as the dataset expects, or it
            does not accept its config.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    with _only_warnings():
        for name in LOADERS:
            if cfg.get(name):
                DATASETS.build(cfg[name].dataset)


@contextmanager
def _only_warnings() -> Iterator[None]:
    """Hide what the tools will log as well."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def find_folders(root: Path) -> dict[str, Path]:
    """Find the datasets in one folder.

    Args:
        root (Path): The folder.

    Returns:
        dict[str, Path]: Key of :data:`NAMED_DATASETS` -> the first of its
        usual folders that is there, in any case; without those that are not.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'--root {root}: no such folder')
    there = {
        path.name.casefold(): path
        for path in sorted(root.iterdir())
        if path.is_dir()
    }
    found = {}
    for name, dataset in NAMED_DATASETS.items():
        usual = [folder.casefold() for folder in dataset.folders]
        paths = [there[folder] for folder in usual if folder in there]
        if paths:
            found[name] = paths[0]
    return found
