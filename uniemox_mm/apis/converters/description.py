"""The JSON beside exported weights: what they are and what they take."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from uniemox_mm.atomic_files import atomic_file
from uniemox_mm.version import __version__

from .preprocessing import describe_preprocessing
from .trained_model import TrainedModel

# What says how the model is made and trained; not where files lie.
_KEPT = (
    'model',
    'data_preprocessor',
    'train_pipeline',
    'test_pipeline',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
    'train_cfg',
)


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


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON, all or nothing."""
    with atomic_file(path) as file:
        json.dump(content, file, indent=2, allow_nan=False)
        file.write('\n')


def _as_data(config: Config) -> dict[str, Any]:
    content = config.to_dict()
    kept = {key: content[key] for key in _KEPT if key in content}
    teacher = kept['model'].get('target_generator') or {}
    if '/' in str(teacher.get('pretrained')):  # a file of this machine
        teacher['pretrained'] = Path(teacher['pretrained']).name
    return kept
