"""The config of an exported classifier, from JSON that runs nothing."""

import inspect
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import nn

from uniemox_mm.datasets.json_files import read_json

# Only training reads them, and they name other things than models.
_DROPPED = ('init_cfg', 'train_cfg', 'batch_augments')


def read_exported_config(path: str | Path) -> Config:
    """Reads the JSON that is written beside exported weights.

    Unlike a config of MMEngine it is data. Since MMEngine would import and
    call whatever a ``type`` names, only registered modules are let through.

    Args:
        path (str | Path): ``<name>.safetensors.json``.

    Returns:
        Config: With ``model``, ``data_preprocessor`` and a
        ``test_dataloader`` whose pipeline is as ``preprocessing`` says.

    Raises:
        ValueError: It is of pretraining, is not of this form, or names
            anything but modules.
    """
    content = read_json(path)
    if not isinstance(content, dict) or 'preprocessing' not in content:
        raise ValueError(
            f'{path}: expected what is written beside exported weights, with '
            '"task", "classes", "preprocessing" and "config"'
        )
    if content.get('task') != 'classification':
        raise ValueError(
            f'{path}: is of {content.get("task")}, which does not classify; '
            'expected an exported classifier'
        )
    try:
        config = content['config']
        kept = {
            key: _only_modules(config[key])
            for key in ('model', 'data_preprocessor')
            if key in config
        }
        dataset = dict(
            metainfo=dict(classes=content['classes']),
            pipeline=_pipeline(content['preprocessing']),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: {error}') from None
    return Config(dict(kept, test_dataloader=dict(dataset=dataset)))


def _only_modules(part: Any) -> Any:
    """A part of a config without what training needs, checked."""
    if isinstance(part, list):
        return [_only_modules(item) for item in part]
    if not isinstance(part, dict):
        return part
    if 'type' in part and not _is_module(part['type']):
        raise ValueError(
            f'{part["type"]!r} is not a module that is registered here, so '
            'nothing was built'
        )
    return {
        key: _only_modules(value)
        for key, value in part.items()
        if key not in _DROPPED
    }


def _is_module(name: object) -> bool:
    registry = MODELS
    while registry is not None:
        found = registry.module_dict.get(name)
        if found is not None:
            return inspect.isclass(found) and issubclass(found, nn.Module)
        registry = registry.parent
    return False


def _pipeline(described: dict[str, Any]) -> list[dict]:
    size, short = described['center_crop'], described['resize_short_edge']
    method = dict(
        interpolation=described['interpolation'],
        backend=described['library'],
    )
    if short is None:
        resize = dict(type='Resize', scale=(size, size), **method)
    else:
        resize = dict(type='ResizeEdge', scale=short, edge='short', **method)
    return [
        dict(type='LoadEmotionImage'),
        resize,
        dict(type='CenterCrop', crop_size=size),
        dict(type='PackInputs'),
    ]
