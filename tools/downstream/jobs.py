"""One of the runs by which an encoder is compared: train, then test."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.resuming import find_checkpoint
from uniemox_mm.utils.json_files import read_json

from .configs import read_as_tools_do
from .settings import RESULT, config_sha256, fingerprint

PLACEHOLDER = '{dataset}'
LOG = 'console.log'


@dataclass(frozen=True)
class Recipe:
    """What is done on each dataset.

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
    def fingerprint(self) -> dict:
        """Of the checkpoint, which takes seconds where that is large."""
        return fingerprint(self.checkpoint)


@dataclass(frozen=True)
class Job:
    """A recipe on one dataset.

    Attributes:
        recipe (Recipe): The recipe.
        dataset (str): A key of :data:`NAMED_DATASETS`.
        root (Path): Where it is.
        fraction (float | None): Share of the training images; None for what
            the config says.
        neighbours (bool): k-NN in place of training.
    """

    recipe: Recipe
    dataset: str
    root: Path
    fraction: float | None = None
    neighbours: bool = False

    @property
    def title(self) -> str:
        """What people call it."""
        name = NAMED_DATASETS[self.dataset].title
        if self.neighbours:
            return f'{name}, k-NN'
        if self.fraction is None:
            return name
        return f'{name}, {100 * self.fraction:g} % of train'

    @property
    def folder(self) -> Path:
        """Work dir, and folder of the log and the results."""
        part = 'knn' if self.neighbours else self.fraction
        name = self.dataset if part is None else f'{self.dataset}_{part}'
        return self.recipe.out / name

    @property
    def log(self) -> Path:
        """Where all output goes."""
        return self.folder / LOG

    @property
    def config(self) -> str:
        """Path of the config."""
        return self._pattern.replace(PLACEHOLDER, self.dataset)

    @property
    def options(self) -> tuple[str, ...]:
        """Overrides of the config."""
        if self.neighbours:
            return ()
        if self.fraction is None:
            return self.recipe.options
        share = f'train_dataloader.dataset.fraction={self.fraction}'
        return (*self.recipe.options, share)

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
        """What the result follows from."""
        settings = dict(
            **self.recipe.fingerprint,
            config=self.config,
            config_sha256=config_sha256(self.cfg),
            data_root=str(self.root.resolve()),
        )
        if not self.neighbours:
            settings.update(
                fraction=self.fraction,
                cfg_options=self.recipe.options,
                gpus=self.recipe.gpus,
                auto_scale_lr=self.recipe.auto_scale_lr,
            )
        return settings

    def metrics(self) -> dict | None:
        """The results, or None while there are none."""
        path = self.folder / RESULT
        return read_json(path) if path.is_file() else None

    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """What is left to do: a word for it and the command, each in turn."""
        recipe, tools = self.recipe, self.recipe.tools
        common = ['--data-root', str(self.root)]
        if self._dataset_argument:
            common += ['--dataset', self._dataset_argument]
        if self.options:
            common += ['--cfg-options', *self.options]
        out = self.folder / Path(RESULT).parent
        results = ['--out', str(out), *common]
        if self.neighbours:
            assert recipe.checkpoint is not None
            start = [sys.executable, str(tools / 'knn.py'), self.config]
            yield 'searching', [*start, recipe.checkpoint, *results]
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
        pattern = self.recipe.config
        if self.neighbours:
            assert self.recipe.knn_config is not None
            pattern = self.recipe.knn_config
        return pattern

    @property
    def _dataset_argument(self) -> str | None:
        return None if PLACEHOLDER in self._pattern else self.dataset
