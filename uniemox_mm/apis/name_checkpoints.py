"""Checkpoints of a command line, each with its config and a name."""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass

from mmengine.config import Config

from uniemox_mm.engine.read_config import (
    find_config,
    read_config,
    resolve_checkpoint,
)
from uniemox_mm.utils.short_names import short_names


@dataclass(frozen=True)
class NamedCheckpoint:
    """A checkpoint to show.

    Attributes:
        name (str): Its name in titles.
        path (str): The file.
        config (Config): The config to build its model with.
    """

    name: str
    path: str
    config: Config


def add_checkpoints(parser: ArgumentParser, kind: str = '') -> None:
    """Add the options that :func:`name_checkpoints` takes.

    Args:
        parser (ArgumentParser): Of a command.
        kind (str): The expected kind of checkpoints, for the help, such as
            'classifiers: '. Defaults to none.
    """
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        required=True,
        help=f'{kind}files, or work dirs for their best or newest',
    )
    parser.add_argument(
        '--config',
        nargs='+',
        default=[],
        help='one for all or one each (the one beside each checkpoint)',
    )
    parser.add_argument('--names', nargs='+', default=[], help='for titles')


def name_checkpoints(
    checkpoints: Sequence[str],
    configs: Sequence[str] = (),
    names: Sequence[str] = (),
    data_root: str | None = None,
    dataset: str | None = None,
    options: dict | None = None,
) -> list[NamedCheckpoint]:
    """Find checkpoints and their configs.

    Args:
        checkpoints (Sequence[str]): Files, or work dirs, of which the one
            that is best on val is taken, or the newest.
        configs (Sequence[str]): One for all, or one for each. Defaults to
            the one that MMEngine wrote beside each checkpoint.
        names (Sequence[str]): For titles. Defaults to :func:`short_names` of
            the paths.
        data_root (str, optional): Replaces that of the configs.
        dataset (str, optional): For configs for any dataset.
        options (dict, optional): Overrides of the configs, dotted key ->
            value.

    Returns:
        list[NamedCheckpoint]: In the order of ``checkpoints``.

    Raises:
        FileNotFoundError: There is no checkpoint or config.
        ValueError: There are not as many configs as checkpoints, or names do
            not tell them apart.
    """
    count = len(checkpoints)
    if len(configs) not in (0, 1, count):
        raise ValueError(
            f'there are {len(configs)} configs for {count} checkpoints; '
            'expected none, one for all, or one for each'
        )
    paths = [resolve_checkpoint(str(path)) for path in checkpoints]
    used = list(configs) or [str(find_config(path)) for path in paths]
    used = used * count if len(used) == 1 else used
    named = list(names) or short_names(checkpoints)
    if len(named) != count or len(set(named)) != count:
        raise ValueError(
            f'expected {count} names that differ, one for each checkpoint, '
            f'but got {", ".join(named)}'
        )
    return [
        NamedCheckpoint(
            name, path, read_config(config, options, dataset, data_root)
        )
        for name, path, config in zip(named, paths, used, strict=True)
    ]
