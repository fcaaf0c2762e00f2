"""How images are made ready for a model, in words that others know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from uniemox_mm.apis.trained_classifier import tested_dataset


def _any(value: object) -> bool:
    return True


def _is(*allowed: object) -> Callable[[object], bool]:
    return lambda value: value in allowed


def _is_square(value: object) -> bool:
    return (
        isinstance(value, Sequence) and len(value) == 2 and len({*value}) == 1
    )


_METHOD = dict(
    backend=_is('cv2', 'pillow'),
    interpolation=_is('nearest', 'bilinear', 'bicubic', 'box', 'lanczos'),
)
# The scope is there in configs whose base is one of MMPretrain's own.
_NAMING = dict(type=_any, _scope_=_is('mmpretrain'))
# What the words below can say of each step: its arguments, and their values.
_SAYABLE: dict[str, dict[str, Callable[[object], bool]]] = {
    'LoadEmotionImage': dict(
        min_size=_any, backend_args=_any, decode_short_side=_is(None)
    ),
    'LoadImageFromFile': dict(
        to_float32=_is(False),
        color_type=_is('color'),
        imdecode_backend=_is('cv2'),
        backend_args=_any,
    ),
    'ResizeEdge': dict(scale=_any, edge=_is('short'), **_METHOD),
    'Resize': dict(scale=_is_square, keep_ratio=_is(False), **_METHOD),
    'CenterCrop': dict(
        crop_size=lambda value: isinstance(value, int), auto_pad=_is(False)
    ),
    'PackInputs': dict(meta_keys=_any, algorithm_keys=_any),
}
_GRAY_OF_16_BIT = {
    'LoadEmotionImage': 'value / 257, rounded',
    'LoadImageFromFile': 'value / 256, rounded down',
}
_EXPECTED = (
    'which others could not repeat; expected LoadEmotionImage or '
    'LoadImageFromFile, ResizeEdge of the short edge and CenterCrop within '
    "it (or Resize to the crop's square), PackInputs, and nothing else"
)


def describe_preprocessing(config: Config) -> dict[str, Any]:
    """What a config does to an image before the model.

    Args:
        config (Config): Of a classifier or of pretraining.

    Returns:
        dict[str, Any]: ``resize_short_edge`` in pixels, or None where the
        image goes to the size of the crop whatever its shape;
        ``center_crop`` in pixels; ``interpolation``; ``library`` that
        resizes; ``mean`` and ``std`` of pixels between 0 and 1;
        ``channels``, RGB or BGR; and what happens to a file's
        ``exif_orientation``, ``gray_of_16_bit`` and ``alpha``.

    Raises:
        ValueError: The pipeline has steps that these words cannot say.
    """
    normalisation = (
        config.model.get('data_preprocessor')
        or config.get('data_preprocessor')
        or {}
    )
    mean, std = normalisation.get('mean'), normalisation.get('std')
    if mean is None or std is None:
        raise ValueError(
            'the config has no data_preprocessor with mean and std'
        )
    if config.get('test_dataloader'):
        steps = tested_dataset(config).get('pipeline') or []
        sizes, load = _sizes(steps), steps[0]['type']
    else:
        sizes, load = _usual_sizes(config), 'LoadEmotionImage'
    return dict(
        **sizes,
        mean=[round(value / 255, 8) for value in mean],
        std=[round(value / 255, 8) for value in std],
        channels='RGB' if normalisation.get('to_rgb') else 'BGR',
        exif_orientation='applied',
        gray_of_16_bit=_GRAY_OF_16_BIT[load],
        alpha='dropped',
    )


def _usual_sizes(config: Config) -> dict[str, Any]:
    """Of pretraining, which tests nothing."""
    return dict(
        resize_short_edge=None,
        center_crop=config.model.backbone.get('img_size', 224),
        interpolation='bicubic',
        library='pillow',
    )


def _sizes(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    for step in steps:
        _check_arguments(step)
    kinds = [step['type'] for step in steps]
    match kinds:
        case [load, 'ResizeEdge', 'CenterCrop', 'PackInputs']:
            resize, crop = steps[1]['scale'], steps[2]['crop_size']
            if crop > resize:
                raise _refusal(f'a crop of {crop} out of {resize} pixels')
        case [load, 'Resize', 'PackInputs']:
            resize, crop = None, steps[1]['scale'][0]
        case _:
            raise _refusal(' -> '.join(kinds) or 'no steps')
    if load not in _GRAY_OF_16_BIT:
        raise _refusal(' -> '.join(kinds))
    return dict(
        resize_short_edge=resize,
        center_crop=crop,
        interpolation=steps[1].get('interpolation', 'bilinear'),
        library=steps[1].get('backend', 'cv2'),
    )


def _check_arguments(step: Mapping[str, Any]) -> None:
    """Refuses a step that does more than the words can say."""
    kind = step['type']
    if kind not in _SAYABLE:
        raise _refusal(kind)
    known = _NAMING | _SAYABLE[kind]
    for name, value in step.items():
        if name not in known or not known[name](value):
            raise _refusal(f'{kind}({name}={value!r})')


def _refusal(found: str) -> ValueError:
    return ValueError(f'the test pipeline has {found}, {_EXPECTED}')
