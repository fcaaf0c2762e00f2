"""Looks at configs and their data before they are run for days."""

import argparse
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from uniemox_mm.engine.cfg_options import CfgOptions
from uniemox_mm.engine.read_config import LOADERS, read_config


def read_as_tools_do(
    path: str, options: Sequence[str], dataset: str | None, data_root: str
) -> Config:
    """Reads a config as ``tools/train.py`` does, and leaves nothing behind.

    Args:
        path (str): The config.
        options (Sequence[str]): What follows ``--cfg-options``.
        dataset (str | None): What follows ``--dataset``.
        data_root (str): What follows ``--data-root``.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It does not fit the dataset, or an override is none.
    """
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument('--cfg-options', nargs='*', action=CfgOptions)
    try:
        given = parser.parse_args(['--cfg-options', *options])
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    with _same_dataset_variable(), _only_warnings():
        return read_config(path, given.cfg_options, dataset, data_root)


def check_data(cfg: Config) -> None:
    """Lists the images of all splits.

    Raises:
        Exception: The data are not laid out as the dataset is, or it does
            not know what the config says.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    with _only_warnings():
        for name in LOADERS:
            if cfg.get(name):
                DATASETS.build(cfg[name].dataset)


@contextmanager
def _same_dataset_variable() -> Iterator[None]:
    before = os.environ.get('DATASET')
    try:
        yield
    finally:
        os.environ.pop('DATASET', None)
        if before is not None:
            os.environ['DATASET'] = before


@contextmanager
def _only_warnings() -> Iterator[None]:
    """Without what the tools say as well, and log."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
