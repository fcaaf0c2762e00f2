"""Preprocess images for a detector of MMDetection."""

import copy
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope


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


def build_pipeline(config: Any) -> Any:
    """The detector's own preparation, from an array on."""
    from mmdet.utils import get_test_pipeline_cfg

    steps = copy.deepcopy(get_test_pipeline_cfg(config))
    steps[0] = dict(type='mmdet.LoadImageFromNDArray')
    with DefaultScope.overwrite_default_scope(
        config.get('default_scope', 'mmdet')
    ):
        return Compose(steps)
