"""The JSON beside exported weights: what they are and what they take."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.version import __version__

from .preprocessing import describe_preprocessing
from .trained_model import TrainedModel

# What says how the model is made and trained; not where files lie.
_KEPT = (
    'model',
    'data_preprocessor',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
    'train_cfg',
)
# Settings of a model that name files.
_FILES = ('checkpoint', 'pretrained')


def describe(trained: TrainedModel, form: str) -> dict[str, Any]:
    """What an export is, as plain values.

    Args:
        trained (TrainedModel): What is exported.
        form (str): The format that it is exported to.

    Returns:
        dict[str, Any]: ``format``, ``uniemox_mm`` (the version), ``source``
        (file and sha256), ``task``, ``classes``, ``preprocessing`` and
        ``config``, as data: reading it runs nothing.

    Raises:
        ValueError: As of :func:`describe_preprocessing`.
    """
    return dict(
        format=form,
        uniemox_mm=__version__,
        source=dict(file=trained.path.name, sha256=trained.sha256),
        task='classification' if trained.classes else 'pretraining',
        classes=trained.classes and list(trained.classes),
        preprocessing=describe_preprocessing(trained.config),
        config=_as_data(trained.config),
    )


def write_described(
    trained: TrainedModel,
    files: tuple[Path, Path],
    weights: bytes,
    described: dict[str, Any],
) -> list[Path]:
    """Writes an export and its JSON; neither, where JSON cannot say it.

    Args:
        trained (TrainedModel): What is exported.
        files (tuple[Path, Path]): The file of the export and of the JSON.
        weights (bytes): Content of the former.
        described (dict[str, Any]): Content of the latter.

    Returns:
        list[Path]: What was written.

    Raises:
        ValueError: The config has values that JSON has no words for.
    """
    try:
        text = json.dumps(described, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{trained.path}: the config has what JSON cannot say ({error}); '
            'name a config without it (--config)'
        ) from None
    target, words = files
    with atomic_file(target, 'wb') as file:
        file.write(weights)
    with atomic_file(words) as file:
        file.write(text + '\n')
    return [target, words]


def beside(target: Path) -> tuple[Path, Path]:
    """A file, and the JSON that goes with it."""
    return target, target.with_name(f'{target.name}.json')


def _as_data(config: Config) -> dict[str, Any]:
    content = config.to_dict()
    kept = {key: content[key] for key in _KEPT if key in content}
    for split in ('train', 'test'):
        if steps := _pipeline(content.get(f'{split}_dataloader')):
            kept[f'{split}_pipeline'] = steps
    for part in _parts(kept['model']):
        for key in _FILES:
            if '/' in str(part.get(key)):  # a file of this machine
                part[key] = Path(part[key]).name
    return kept


def _pipeline(loader: dict[str, Any] | None) -> list | None:
    """What a loader does to images, which no variable has to say."""
    dataset = loader or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset.get('pipeline')


def _parts(settings: Any) -> Iterator[dict[str, Any]]:
    """All settings within settings."""
    if isinstance(settings, Mapping):
        yield settings
    values = settings.values() if isinstance(settings, Mapping) else settings
    if isinstance(settings, Mapping | list | tuple):
        for value in values:
            yield from _parts(value)
