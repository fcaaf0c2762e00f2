"""The config of an exported classifier, from JSON that runs nothing."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from uniemox_mm.utils.json_files import read_json

from .allowed_parts import allowed_part

_INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'box', 'lanczos')
_LIBRARIES = ('pillow', 'cv2')


def read_exported_config(path: str | Path) -> Config:
    """Reads the JSON that is written beside exported weights.

    Unlike a config of MMEngine it is data, which may come from a stranger:
    it may ask for what :mod:`.allowed_parts` lists.

    Args:
        path (str | Path): ``<name>.safetensors.json``.

    Returns:
        Config: With ``model``, ``data_preprocessor`` and a
        ``test_dataloader`` whose pipeline is as ``preprocessing`` says.

    Raises:
        ValueError: It is of pretraining, is not of this form, or asks for
            anything else.
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
        config = content.get('config')
        if not isinstance(config, dict):
            raise ValueError(f'config is {config!r}; expected a dict')
        kept = dict(model=allowed_part(config.get('model'), 'model'))
        if 'data_preprocessor' in config:
            pixels = config['data_preprocessor']
            kept['data_preprocessor'] = allowed_part(
                pixels, 'data_preprocessor'
            )
        dataset = dict(
            metainfo=dict(classes=content.get('classes')),
            pipeline=_pipeline(content['preprocessing']),
        )
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    content = dict(kept, test_dataloader=dict(dataset=dataset))
    return Config(content, filename=str(path))


def _pipeline(described: Any) -> list[dict]:
    if not isinstance(described, dict):
        raise ValueError(f'preprocessing is {described!r}; expected a dict')
    size = _pixels(described, 'center_crop')
    method: dict[str, Any] = dict(
        interpolation=_one_of(described, 'interpolation', _INTERPOLATIONS),
        backend=_one_of(described, 'library', _LIBRARIES),
    )
    if described.get('resize_short_edge') is None:
        resize = dict(type='Resize', scale=(size, size), **method)
    else:
        short = _pixels(described, 'resize_short_edge')
        resize = dict(type='ResizeEdge', scale=short, edge='short', **method)
    return [
        dict(type='LoadEmotionImage'),
        resize,
        dict(type='CenterCrop', crop_size=size),
        dict(type='PackInputs'),
    ]


def _pixels(described: dict, name: str) -> int:
    value = described.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(
            f'preprocessing.{name} is {value!r}; expected a number of pixels'
        )
    return value


def _one_of(described: dict, name: str, known: tuple[str, ...]) -> str:
    value = described.get(name)
    if value not in known:
        raise ValueError(
            f'preprocessing.{name} is {value!r}; expected one of '
            f'{", ".join(known)}'
        )
    return value
