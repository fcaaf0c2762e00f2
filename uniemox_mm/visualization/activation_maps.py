"""Where in an image a classifier finds a class: Grad-CAM."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor

from .cam_layers import choose_layer

_MISSING = (
    'Grad-CAM needs the package grad-cam: pip install grad-cam, or '
    "pip install -e '.[pictures]'"
)


@dataclass(frozen=True)
class ActivationMaps:
    """What a classifier made of N images.

    Attributes:
        heat (np.ndarray): (N, H, W) float32 from 0 to 1, the largest of an
            image 1; all 0 where nothing speaks for the class.
        targets (np.ndarray): The class that each is about, (N,).
        scores (np.ndarray): Softmax of all classes, (N, K).
        layer (str): Where it was looked.
    """

    heat: np.ndarray
    targets: np.ndarray
    scores: np.ndarray
    layer: str


def activation_maps(
    model: BaseModel,
    images: Tensor,
    target: int | Sequence[int] | None = None,
    layer: str | None = None,
) -> ActivationMaps:
    """Computes Grad-CAM by the package grad-cam.

    Args:
        model (BaseModel): A classifier of MMPretrain, which is put in eval
            mode.
        images (Tensor): (N, 3, H, W) uint8 as the test pipeline gives them.
        target (int | Sequence[int], optional): The class, or one for each
            image. Defaults to what is predicted.
        layer (str, optional): Defaults to what :func:`choose_layer` takes.

    Returns:
        ActivationMaps: The maps and the scores.

    Raises:
        ImportError: grad-cam is not installed.
        ValueError: There is no such class or layer.
    """
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        raise ImportError(_MISSING) from None
    model.eval()
    pixels = model.data_preprocessor(dict(inputs=images))['inputs']
    with torch.no_grad():
        scores = model(pixels).softmax(1).cpu().numpy()
    targets = _targets(target, scores)
    place = choose_layer(model, pixels, layer)
    cam = GradCAM(model, [place.module], place.to_map)
    try:
        # Gradients must get to the layer where the backbone is frozen, too.
        heat = cam(
            pixels.detach().requires_grad_(),
            [ClassifierOutputTarget(int(number)) for number in targets],
        )
    finally:
        cam.activations_and_grads.release()
        model.zero_grad(set_to_none=True)
    return ActivationMaps(heat, targets, scores, place.name)


def _targets(
    target: int | Sequence[int] | None, scores: np.ndarray
) -> np.ndarray:
    count, classes = scores.shape
    if target is None:
        return scores.argmax(1)
    targets = np.broadcast_to(np.asarray(target), (count,))
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(
            f'there is no class {target}: the classifier has {classes}, '
            'numbered from 0'
        )
    return targets
