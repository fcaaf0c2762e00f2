"""Preprocess images for a detector of MMDetection."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from uniemox_mm.datasets import decoding

ImageLike = str | Path | np.ndarray | Image.Image


def prepare(pipeline: Any, image: np.ndarray) -> dict:
    """Resizes and packs an image for :meth:`PersonDetector.detect`.

    A function of its own, so that the workers of a data loader can run it
    without the detector.

    Args:
        pipeline (Compose): :attr:`PersonDetector.pipeline`.
        image (np.ndarray): (H, W, 3) uint8, BGR.

    Raises:
        ValueError: The pipeline fails, as at a shape that has no pixel left
            on one side when it is made smaller.
    """
    try:
        return pipeline(dict(img=image, img_id=0))
    except Exception as error:
        height, width = image.shape[:2]
        raise ValueError(
            f'an image of {width} x {height} pixels cannot be preprocessed '
            f'for the detector ({type(error).__name__}: {error})'
        ) from error


def to_bgr(image: ImageLike) -> np.ndarray:
    """Reads or converts an image.

    Args:
        image (str | Path | np.ndarray | Image): As in
            :meth:`PersonDetector.forward`.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file is not an image, or an array is none as described.
    """
    if isinstance(image, str | Path):
        content = Path(image).read_bytes()
        try:
            return decoding.decode(content)
        except Exception as error:  # decoders raise what they like
            raise ValueError(
                f'{image}: expected a readable image, but decoding failed '
                f'with {type(error).__name__}: {error}'
            ) from error
    if isinstance(image, Image.Image):
        return decoding.to_bgr(image)
    array = image[..., None] if image.ndim == 2 else image
    if (
        array.dtype != np.uint8
        or array.ndim != 3
        or array.shape[2]
        not in (
            1,
            3,
            4,
        )
    ):
        raise ValueError(
            'expected a uint8 array of (H, W), (H, W, 1), (H, W, 3) or (H, W, '
            f'4), but got {image.dtype} {image.shape}'
        )
    if 0 in array.shape:
        raise ValueError(f'the image has no pixels: {image.shape}')
    if array.shape[2] == 1:
        array = array.repeat(3, axis=2)
    return np.ascontiguousarray(array[..., :3])


def build_pipeline(config: Any) -> Any:
    """The detector's own preparation, from an array on."""
    from mmdet.utils import get_test_pipeline_cfg

    steps = copy.deepcopy(get_test_pipeline_cfg(config))
    steps[0] = dict(type='mmdet.LoadImageFromNDArray')
    with DefaultScope.overwrite_default_scope(
        config.get('default_scope', 'mmdet')
    ):
        return Compose(steps)
