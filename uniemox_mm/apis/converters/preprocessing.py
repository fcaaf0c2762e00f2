"""How images are made ready for a model, in words that others know."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_LOADING = {'LoadEmotionImage', 'LoadImageFromFile', 'PackInputs'}


def describe_preprocessing(config: Config) -> dict[str, Any]:
    """What a config does to an image before the model.

    Args:
        config (Config): Of a classifier or of pretraining.

    Returns:
        dict[str, Any]: ``resize_short_edge`` in pixels, or None where the
        image goes to the size of the crop whatever its shape;
        ``center_crop`` in pixels; ``interpolation``; ``library`` that
        resizes; ``mean`` and ``std`` of pixels between 0 and 1;
        ``channels``, RGB or BGR.

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
    return dict(
        **_sizes(config),
        mean=[round(value / 255, 8) for value in mean],
        std=[round(value / 255, 8) for value in std],
        channels='RGB' if normalisation.get('to_rgb') else 'BGR',
    )


def _sizes(config: Config) -> dict[str, Any]:
    size = config.model.backbone.get('img_size', 224)
    found = dict(
        resize_short_edge=None,
        center_crop=size,
        interpolation='bicubic',
        library='pillow',
    )
    loader = config.get('test_dataloader')
    for step in loader.dataset.pipeline if loader else ():
        if step.type == 'ResizeEdge' and step.get('edge', 'short') == 'short':
            found.update(resize_short_edge=step.scale, **_method(step))
        elif step.type == 'Resize' and tuple(step.scale) == (size, size):
            found.update(resize_short_edge=None, **_method(step))
        elif step.type == 'CenterCrop' and isinstance(step.crop_size, int):
            found.update(center_crop=step.crop_size)
        elif step.type not in _LOADING:
            raise ValueError(
                f'the test pipeline has {dict(step)}, which others could not '
                'repeat; expected ResizeEdge of the short edge and CenterCrop'
            )
    return found


def _method(step: Mapping[str, Any]) -> dict[str, str]:
    return dict(
        interpolation=step.get('interpolation', 'bilinear'),
        library=step.get('backend', 'cv2'),
    )
