"""The JSON beside exported weights: the model, and how images get to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.models import BaseClassifier

from uniemox_mm.utils.sha256_file import sha256_file
from uniemox_mm.version import __version__

INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'box', 'lanczos')
LIBRARIES = ('pillow', 'cv2')
# The parts of a config that say how the model is built and trained, but not
# where files lie.
_KEPT = (
    'model data_preprocessor optim_wrapper param_scheduler auto_scale_lr '
    'train_cfg'
).split()
_FILES = ('checkpoint', 'pretrained')  # arguments of models that name files
_GRAY_OF_16_BIT = {
    'LoadEmotionImage': 'value / 257, rounded',
    'LoadImageFromFile': 'value / 256, rounded down',
}
# Arguments of transforms that are in the description or change no pixel.
_READ = set(
    'type scale crop_size backend interpolation min_size backend_args '
    'meta_keys algorithm_keys'.split()
)
# Those that the description has no words for may only have this value.
_ONLY = {
    '_scope_': 'mmpretrain',
    'decode_short_side': None,
    'to_float32': False,
    'color_type': 'color',
    'imdecode_backend': 'cv2',
    'edge': 'short',
    'keep_ratio': False,
    'auto_pad': False,
}


def describe(model: BaseModel, format: str) -> dict[str, Any]:
    """Describe an export in plain values: reading them runs nothing."""
    checkpoint = Path(model._checkpoint)
    is_classifier = isinstance(model, BaseClassifier)
    return dict(
        format=format,
        uniemox_mm=__version__,
        source=dict(file=checkpoint.name, sha256=sha256_file(checkpoint)),
        task='classification' if is_classifier else 'pretraining',
        classes=[*model._dataset_meta['classes']] if is_classifier else None,
        preprocessing=describe_preprocessing(model._config),
        config=_as_data(model._config),
    )


def describe_preprocessing(config: Config) -> dict[str, Any]:
    """Describe how a config's test pipeline preprocesses an image.

    Sizes are in pixels, ``resize_short_edge`` None where the image is resized
    to the square of the crop; ``mean`` and ``std`` are of pixels between 0
    and 1.

    Raises:
        ValueError: The pipeline does something that this cannot describe.
    """
    of_model = config.model.get('data_preprocessor')
    normalization = of_model or config.get('data_preprocessor') or {}
    mean, std = normalization.get('mean'), normalization.get('std')
    if mean is None or std is None:
        raise ValueError(
            'the config has no data_preprocessor with mean and std'
        )
    if config.get('test_dataloader'):
        steps = _pipeline(config.test_dataloader)
    else:  # pretraining, which has no test
        size = config.model.backbone.get('img_size', 224)
        method = dict(interpolation='bicubic', backend='pillow')
        steps = [
            dict(type='LoadEmotionImage'),
            dict(type='Resize', scale=(size, size), **method),
            dict(type='PackInputs'),
        ]
    return dict(
        **_describe_steps(steps),
        mean=[round(value / 255, 8) for value in mean],
        std=[round(value / 255, 8) for value in std],
        channels='RGB' if normalization.get('to_rgb') else 'BGR',
        exif_orientation='applied',
        alpha='dropped',
    )


def _describe_steps(steps: list[dict[str, Any]]) -> dict[str, Any]:
    resize: int | None
    known = all(
        name in _READ or (name in _ONLY and _ONLY[name] == value)
        for step in steps
        for name, value in step.items()
    )
    match steps:
        case [
            {'type': load},
            {'type': 'ResizeEdge', 'scale': int(resize)},
            {'type': 'CenterCrop', 'crop_size': int(crop)},
            {'type': 'PackInputs'},
        ] if crop <= resize:
            pass
        case [
            {'type': load},
            {'type': 'Resize', 'scale': [int(crop), int(height)]},
            {'type': 'PackInputs'},
        ] if crop == height:
            resize = None
        case _:
            raise _refusal(steps)
    interpolation = steps[1].get('interpolation', 'bilinear')
    library = steps[1].get('backend', 'cv2')
    if (
        not known
        or load not in _GRAY_OF_16_BIT
        or interpolation not in INTERPOLATIONS
        or library not in LIBRARIES
    ):
        raise _refusal(steps)
    return dict(
        resize_short_edge=resize,
        center_crop=crop,
        interpolation=interpolation,
        library=library,
        gray_of_16_bit=_GRAY_OF_16_BIT[load],
    )


def _refusal(steps: list[dict[str, Any]]) -> ValueError:
    found = []
    for step in steps:
        arguments = [f'{k}={v!r}' for k, v in step.items() if k != 'type']
        found.append(f'{step["type"]}({", ".join(arguments)})')
    return ValueError(
        f'the test pipeline has {" -> ".join(found) or "no steps"}, which the '
        'description of an export cannot say; expected LoadEmotionImage or '
        'LoadImageFromFile, ResizeEdge of the short edge and CenterCrop '
        'within it (or Resize to a square), PackInputs, and nothing else'
    )


def _as_data(config: Config) -> dict[str, Any]:
    content = config.to_dict()
    kept = {key: content[key] for key in _KEPT if key in content}
    for split in ('train', 'test'):
        if steps := _pipeline(content.get(f'{split}_dataloader')):
            kept[f'{split}_pipeline'] = steps
    return _without_folders(kept)


def _pipeline(loader: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the transforms of a loader, without MMEngine's wrappers."""
    dataset = loader or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset.get('pipeline') or []


def _without_folders(value: Any, key: str = '') -> Any:
    """Return settings that name files, but not where this machine has them."""
    if isinstance(value, Mapping):
        return {k: _without_folders(v, k) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(item) for item in value]
    is_path = key in _FILES and isinstance(value, str)
    return value.rpartition('/')[2] if is_path else value
