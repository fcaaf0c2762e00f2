"""The config of an exported classifier, read from JSON that can run nothing.

MMEngine imports the module that a ``type`` or ``_scope_`` names, even one
without a dot, and some classes download or run what an argument names. So a
``type`` is one of a few, no other argument is text unless its class merely
compares it with names of its own, and keys are plain names.
"""

import re
from pathlib import Path
from reprlib import repr as _short
from typing import Any

from mmengine.config import Config

from uniemox_mm.utils.json_files import read_json

from .description import INTERPOLATIONS, LIBRARIES

ALLOWED_TYPES = frozenset(
    (
        'ImageClassifier ClsDataPreprocessor '
        'VisionTransformer BEiTViT SwinTransformer MixMIMTransformer '
        'ResNet DenseNet VGG '
        'GlobalAveragePooling ClsBatchNormNeck '
        'ClsHead LinearClsHead VisionTransformerClsHead '
        'Conv2d LN BN SyncBN GELU QuickGELU ReLU Tanh'
    ).split()
)
# Arguments that are words. The classes compare them with names of their own;
# any other text may be looked up in a registry, which imports it.
_WORDS = {'arch', 'out_type', 'style', 'interpolate_mode', 'bias'}
# Needed by training only, or overwritten by the weights: left out unread.
_DROPPED = {'train_cfg', 'batch_augments', 'loss', 'init_cfg'}
_REFUSED = {'pretrained', 'checkpoint'}
# Far above any real model, so that no number alone fills the memory.
_LARGEST = 100_000
_LARGEST_IMAGE = 4096  # pixels on a side
_DEEPEST = 8  # dicts inside dicts


def read_exported_config(path: str | Path) -> Config:
    """Read the JSON that is written beside exported weights.

    Unlike a config of MMEngine it is data, which may come from a stranger:
    it can build the types of :data:`ALLOWED_TYPES` from numbers and a few
    plain words, and neither imports, reads nor downloads anything.

    Args:
        path (str | Path): ``<name>.safetensors.json``.

    Returns:
        Config: With ``model``, ``data_preprocessor`` and a
        ``test_dataloader`` whose pipeline is as ``preprocessing`` says.

    Raises:
        ValueError: It is of pretraining, not the JSON of an export, or asks
            for anything else.
    """
    content = read_json(path)
    if not isinstance(content, dict) or 'preprocessing' not in content:
        raise ValueError(
            f'{path}: expected the JSON that is written beside exported '
            'weights, with "task", "classes", "preprocessing" and "config"'
        )
    try:
        return Config(_read(content), filename=str(path))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None


def _read(content: dict[str, Any]) -> dict[str, Any]:
    if content.get('task') != 'classification':
        raise ValueError(
            f'is of {_short(content.get("task"))}, which does not classify; '
            'expected an exported classifier'
        )
    config, classes = content.get('config'), content.get('classes')
    if not isinstance(config, dict):
        raise ValueError(f'config is {_short(config)}; expected a dict')
    if not isinstance(classes, list) or not all(
        isinstance(name, str) for name in classes
    ):
        raise ValueError(f'classes are {_short(classes)}; expected names')
    kept = dict(model=_part(config.get('model'), 'config.model'))
    if kept['model'].get('type') != 'ImageClassifier':
        raise _refusal('config.model.type', kept['model'].get('type'))
    if pixels := config.get('data_preprocessor'):
        kept['data_preprocessor'] = _part(pixels, 'config.data_preprocessor')
    dataset = dict(
        metainfo=dict(classes=classes),
        pipeline=_pipeline(content['preprocessing']),
    )
    return dict(kept, test_dataloader=dict(dataset=dataset))


def _part(value: Any, place: str) -> dict[str, Any]:
    """Return a dict of settings without those of training, checked."""
    if not isinstance(value, dict):
        raise ValueError(f'{place} is {_short(value)}; expected a dict')
    if place.count('.') > _DEEPEST:
        raise ValueError(f'{place} is nested too deeply')
    kept = {}
    for key, item in value.items():
        if key in _DROPPED or (key, item) == ('_scope_', 'mmpretrain'):
            continue
        where = f'{place}.{key}'
        # Keys with _ are MMEngine's own; other than plain names would be
        # code in a config that is dumped.
        if key in _REFUSED or key[:1] == '_' or not key.isidentifier():
            raise _refusal(where, item)
        if isinstance(item, list) and key != 'type':
            kept[key] = [_argument(one, key, where) for one in item]
        else:
            kept[key] = _argument(item, key, where)
    return kept


def _argument(value: Any, key: str, place: str) -> Any:
    if key == 'type':
        allowed = isinstance(value, str) and value in ALLOWED_TYPES
    elif isinstance(value, dict):
        return _part(value, place)
    elif isinstance(value, str):
        allowed = key in _WORDS and re.fullmatch(r'[\w-]+', value) is not None
    elif isinstance(value, int | float):
        allowed = abs(value) <= _LARGEST  # not so of NaN
    else:
        allowed = value is None
    if not allowed:
        raise _refusal(place, value)
    return value


def _pipeline(described: Any) -> list[dict[str, Any]]:
    match described:
        case {
            'resize_short_edge': int() | None as short,
            'center_crop': int(size),
            'interpolation': str(interpolation),
            'library': str(library),
        } if (
            0 < size <= (size if short is None else short) <= _LARGEST_IMAGE
            and interpolation in INTERPOLATIONS
            and library in LIBRARIES
        ):
            pass
        case _:
            raise ValueError(
                f'preprocessing is {_short(described)}; expected '
                'resize_short_edge (or null) and center_crop within it, in '
                f'at most {_LARGEST_IMAGE} pixels, interpolation (one of '
                f'{", ".join(INTERPOLATIONS)}) and library (one of '
                f'{", ".join(LIBRARIES)})'
            )
    method: dict[str, Any] = dict(interpolation=interpolation, backend=library)
    if short is None:
        resize = [dict(type='Resize', scale=(size, size), **method)]
    else:
        resize = [
            dict(type='ResizeEdge', scale=short, edge='short', **method),
            dict(type='CenterCrop', crop_size=size),
        ]
    return [dict(type='LoadEmotionImage'), *resize, dict(type='PackInputs')]


def _refusal(place: str, value: Any) -> ValueError:
    return ValueError(
        f'{place} = {_short(value)} is not among what an export may ask for, '
        'so nothing was built; give the config instead, which is code and '
        'trusted (config=..., --config ...)'
    )
