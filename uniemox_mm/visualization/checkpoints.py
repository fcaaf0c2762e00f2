"""Several checkpoints, each with its config and a name for titles."""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from uniemox_mm.apis.trained_classifier import find_config
from uniemox_mm.engine.read_config import read_config, resolve_checkpoint
from uniemox_mm.weights.read_checkpoint import SAFETENSORS

_SUFFIXES = ('.pth', '.pt', SAFETENSORS)


@dataclass(frozen=True)
class NamedCheckpoint:
    """A checkpoint to show.

    Attributes:
        name (str): What titles call it.
        path (str): The file.
        config (Config): What it was trained with, or is to be read by.
    """

    name: str
    path: str
    config: Config


def add_checkpoints(parser: ArgumentParser, what: str = '') -> None:
    """Adds the options that :func:`name_checkpoints` takes.

    Args:
        parser (ArgumentParser): Of a command.
        what (str): What the checkpoints have to be, with a colon. Defaults
            to anything.
    """
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        required=True,
        help=f'{what}files, or work dirs for their best or newest',
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
    """Finds checkpoints and their configs.

    Args:
        checkpoints (Sequence[str]): Files, or work dirs, of which the one
            that is best on val is taken, or the newest.
        configs (Sequence[str]): One for all, or one for each. Defaults to
            the one that MMEngine wrote beside each checkpoint.
        names (Sequence[str]): For titles. Defaults to the last parts of the
            paths, as many as tell them apart.
        data_root (str, optional): In place of the configs'.
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


def short_names(paths: Sequence[str]) -> list[str]:
    """The last parts of paths, as many as tell them apart.

    Example:
        >>> short_names(['runs/a/epoch_4.pth', 'runs/b'])
        ['epoch_4', 'b']
        >>> short_names(['runs/a/epoch_4.pth', 'runs/b/epoch_4.pth'])
        ['a/epoch_4', 'b/epoch_4']
    """
    parts = [_without_suffix(Path(path).resolve()).parts for path in paths]
    for kept in range(1, max(map(len, parts))):
        names = ['/'.join(part[-kept:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def _without_suffix(path: Path) -> Path:
    return path.with_suffix('') if path.suffix in _SUFFIXES else path
