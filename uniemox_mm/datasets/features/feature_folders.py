"""Where caches of features lie, and waiting for them."""

import itertools
import os
import time
from pathlib import Path

from mmengine.runner import Runner

from uniemox_mm.datasets import EmoSet


def cache_folder(dataset: EmoSet, kind: str) -> Path:
    """Where a cache of a dataset's features is looked for by default.

    Args:
        dataset (EmoSet): The dataset.
        kind (str): 'text_features' or 'image_features'.
    """
    name = f'{kind}_{"+".join(dataset.splits)}'
    if dataset.fraction < 1:
        name += f'_fraction{dataset.fraction}_seed{dataset.seed}'
    return Path(dataset.data_root) / name


def check_writable(folder: Path, kind: str) -> None:
    """Refuses a place for a cache before the work is done.

    Args:
        folder (Path): The cache to be.
        kind (str): The name of the hook that makes it.

    Raises:
        PermissionError: Nothing can be written there.
    """
    if not os.access(_existing(folder.parent), os.W_OK):
        raise PermissionError(
            f'{folder}: the {kind.replace("_", " ")} cannot be written there; '
            f'give default_hooks.{kind}.folder another path'
        )


def wait_for(folder: Path, runner: Runner) -> None:
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
