"""Grad-CAM of classifiers: heatmaps, and grids of them over images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.model import BaseModel
from torch import Tensor, nn
from tqdm import tqdm

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import list_sources
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.engine.read_config import tested_dataset
from uniemox_mm.utils.figures import Cell, picture_grid
from uniemox_mm.utils.short_names import short_names


@dataclass(frozen=True)
class GradCam:
    """Grad-CAM of a classifier on N images.

    Attributes:
        heatmaps (np.ndarray): (N, H, W) float32 from 0 to 1, the maximum of
            each image 1; all 0 where no value is positive.
        targets (np.ndarray): Class that each heatmap is for, (N,).
        scores (np.ndarray): Softmax over all K classes, (N, K).
        layer (str): Name of the target layer.
    """

    heatmaps: np.ndarray
    targets: np.ndarray
    scores: np.ndarray
    layer: str


@dataclass(frozen=True)
class TargetLayer:
    """Layer whose output is a feature map of the image.

    Attributes:
        name (str): Name of the module in the model.
        module (nn.Module): The layer.
        to_map (Callable): Its output -> (N, C, h, w).
    """

    name: str
    module: nn.Module
    to_map: Callable[[Tensor], Tensor]


def grad_cam(
    model: BaseModel,
    images: Tensor,
    target: int | Sequence[int] | None = None,
    layer: str | None = None,
) -> GradCam:
    """Compute Grad-CAM with the package grad-cam.

    Args:
        model (BaseModel): A classifier of MMPretrain, which is put in eval
            mode.
        images (Tensor): (N, 3, H, W) uint8, preprocessed by the classifier's
            test pipeline.
        target (int | Sequence[int], optional): The class, or one per image.
            Defaults to the predicted ones.
        layer (str, optional): Defaults to that of :func:`choose_layer`.

    Returns:
        GradCam: The heatmaps and the scores.

    Raises:
        ImportError: The package grad-cam is not installed.
        ValueError: There is no such class or layer.
    """
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        raise ImportError(
            'Grad-CAM needs the package grad-cam: pip install grad-cam, or '
            "pip install -e '.[pictures]'"
        ) from None
    model.eval()
    pixels = model.data_preprocessor(dict(inputs=images))['inputs']
    with torch.no_grad():
        scores = model(pixels).softmax(1).cpu().numpy()
    targets = _targets(target, scores)
    place = choose_layer(model, pixels, layer)
    cam = GradCAM(model, [place.module], place.to_map)
    try:
        # Gradients must reach the layer even if the backbone is frozen.
        heatmaps = cam(
            pixels.detach().requires_grad_(),
            [ClassifierOutputTarget(int(number)) for number in targets],
        )
    finally:
        cam.activations_and_grads.release()
        model.zero_grad(set_to_none=True)
    return GradCam(heatmaps, targets, scores, place.name)


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


def choose_layer(
    model: BaseModel, inputs: Tensor, name: str | None = None
) -> TargetLayer:
    """Choose the target layer of Grad-CAM.

    Of a vision transformer this is the first norm of the last block, before
    the last attention. After the block a classifier of the cls token reads
    nothing else, so that the gradients of all patches are zero. One of the
    mean of the patches could be explained there, too; which of the two is
    better was not the same on all pictures (docs/benchmarks.md). Of all other
    networks it is the last layer of the backbone whose output is a feature
    map, or a grid of tokens.

    Args:
        model (BaseModel): A classifier of MMPretrain.
        inputs (Tensor): Normalised pixels, (N, 3, H, W).
        name (str, optional): Another layer, such as 'backbone.layer3'.

    Returns:
        TargetLayer: The layer.

    Raises:
        ValueError: There is no such layer, or its output is not a feature
            map.
    """
    backbone = model.backbone
    layers = getattr(backbone, 'layers', None)
    if name is None and layers and hasattr(layers[-1], 'ln1'):
        name = f'backbone.layers.{len(layers) - 1}.ln1'
    names = dict(model.named_modules())
    if name is not None and name not in names:
        known = [key for key in names if key.count('.') == 1]
        raise ValueError(
            f'the model has no layer {name!r}; expected one of '
            f'{", ".join(known)}, or a layer inside them'
        )
    extra = getattr(backbone, 'num_extra_tokens', 0)
    grids = _feature_grids(model, inputs, extra)
    if name is None:
        name = next(
            (k for k in reversed(grids) if k.startswith('backbone.')), ''
        )
    if name not in grids:
        raise ValueError(
            f'the output of {name or "the backbone"} is not a feature map: '
            'expected (N, C, h, w) with h and w over 1, or tokens '
            f'(N, h * w, C) besides {extra} others; layers that have one: '
            f'{", ".join(list(grids)[-5:])}'
        )
    grid = grids[name]
    return TargetLayer(
        name, names[name], lambda output: tokens_to_map(output, grid)
    )


def tokens_to_map(output: Tensor, grid: tuple[int, int]) -> Tensor:
    """Arrange tokens as their patches lie in the image.

    Args:
        output (Tensor): Tokens (N, extra + h * w, C), row by row as ViT cuts
            patches, after extra ones such as cls; or a feature map
            (N, C, h, w), which stays.
        grid (tuple[int, int]): h and w.

    Returns:
        Tensor: (N, C, h, w).
    """
    if output.ndim == 4:
        return output
    patches = output[:, output.shape[1] - grid[0] * grid[1] :]
    return patches.transpose(1, 2).unflatten(2, grid)


@torch.no_grad()
def _feature_grids(
    model: BaseModel, inputs: Tensor, extra: int
) -> dict[str, tuple[int, int]]:
    """(h, w) of all layers whose output is a feature map, in running order."""
    found: dict[str, tuple[int, int]] = {}
    ratio = inputs.shape[2] / inputs.shape[3]

    def record(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            found.pop(name, None)  # the last run of a shared layer counts
            if isinstance(output, Tensor) and output.is_floating_point():
                grid = _grid(output, extra, ratio)
                if grid is not None:
                    found[name] = grid

        return hook

    hooks = [
        module.register_forward_hook(record(name))
        for name, module in model.named_modules()
        if name
    ]
    try:
        model(inputs[:1])
    finally:
        for handle in hooks:
            handle.remove()
    return found


def _grid(output: Tensor, extra: int, ratio: float) -> tuple[int, int] | None:
    if output.ndim == 4:
        height, width = output.shape[2:]
        return (height, width) if min(height, width) > 1 else None
    if output.ndim != 3:
        return None
    for tokens in (output.shape[1] - extra, output.shape[1]):
        height = round((max(tokens, 0) * ratio) ** 0.5)
        if height > 1 and tokens % height == 0:
            width = tokens // height
            if width > 1 and abs(height / width - ratio) < 1e-6:
                return height, width
    return None


def draw_grad_cam(
    models: Mapping[str, BaseModel],
    images: Sequence[str | Path],
    target: str | None = None,
    layer: str | None = None,
) -> Figure:
    """Draw images with the Grad-CAM of each classifier, one row per image.

    Captions give the predicted class with its score and, if it is another
    one, the class that the heatmap is for. The image is shown as the first
    classifier sees it.

    Args:
        models (Mapping[str, BaseModel]): Title -> classifier with ``_config``
            and ``_dataset_meta``, as ``load_model`` sets them.
        images (Sequence[str | Path]): Images and folders of images.
        target (str, optional): Class of the heatmaps. Defaults to the
            prediction of each classifier.
        layer (str, optional): Target layer of all classifiers. Defaults to
            that of :func:`choose_layer` for each.

    Returns:
        Figure: The grid.

    Raises:
        BadSampleError: An image cannot be used; the message names it.
        ImportError: The package grad-cam is not installed.
        ValueError: A classifier does not have the class or the layer.
    """
    columns: list[list[Cell]] = []
    for title, model in tqdm(
        models.items(), 'Grad-CAM', disable=len(models) < 2, leave=False
    ):
        classes = model._dataset_meta['classes']
        if target is not None and target not in classes:
            raise ValueError(
                f'{title}: no class {target!r}; expected one of '
                f'{", ".join(classes)}'
            )
        label = None if target is None else classes.index(target)
        names, inputs = preprocess_images(model, images)
        if not columns:
            shown = zip(map(to_rgb, inputs), short_names(names), strict=True)
            columns.append(list(shown))
        try:
            columns.append(
                [_draw_cell(model, image, label, layer) for image in inputs]
            )
        except ValueError as error:
            raise ValueError(f'{title}: {error}') from None
    return picture_grid(['image', *models], list(zip(*columns, strict=True)))


def preprocess_images(
    model: BaseModel, images: Sequence[str | Path]
) -> tuple[list[str], list[Tensor]]:
    """Preprocess images by a classifier's test pipeline.

    Args:
        model (BaseModel): A classifier with ``_config``.
        images (Sequence[str | Path]): Images and folders of images.

    Returns:
        tuple[list[str], list[Tensor]]: Their paths, and (3, H, W) uint8, BGR.

    Raises:
        BadSampleError: An image cannot be used; the message names it.
    """
    settings = tested_dataset(model._config)
    pipeline = InferencePipeline.from_config(settings.pipeline)
    names, inputs = [], []
    for source in list_sources(list(images)):
        item = pipeline(source)
        if 'inputs' not in item:
            raise BadSampleError(item['data_samples'].error)
        names.append(source.name)
        inputs.append(item['inputs'])
    return names, inputs


def to_rgb(image: Tensor) -> np.ndarray:
    """(3, H, W) BGR -> (H, W, 3) RGB."""
    return image.flip(0).permute(1, 2, 0).numpy()


def overlay(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Blend an image with a heatmap, blue where it is 0 and red where it is 1.

    Args:
        image (np.ndarray): (H, W, 3) uint8 RGB.
        heatmap (np.ndarray): (H, W) from 0 to 1.

    Returns:
        np.ndarray: (H, W, 3) uint8 RGB.
    """
    levels = (255 * heatmap).round().astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    mixed = (image.astype(np.float32) + colors) / 2
    return mixed.round().astype(np.uint8)


def describe_heatmap(heatmap: np.ndarray, name: str) -> str:
    """Title of a heatmap for a class, which may be empty."""
    if heatmap.any():
        return f'Grad-CAM for {name} (red = strongest)'
    return f'Grad-CAM for {name} is empty (no positive evidence)'


def _draw_cell(
    model: BaseModel, image: Tensor, target: int | None, layer: str | None
) -> Cell:
    cam = grad_cam(model, image[None], target, layer)
    (heatmap,), (scores,), (wanted,) = cam.heatmaps, cam.scores, cam.targets
    classes = model._dataset_meta['classes']
    best = int(scores.argmax())
    caption = f'{classes[best]} {scores[best]:.2f}'
    if wanted != best:
        caption += f'\nGrad-CAM for {classes[wanted]} {scores[wanted]:.2f}'
    if not heatmap.any():
        caption += f'\n{describe_heatmap(heatmap, classes[wanted])}'
    return overlay(to_rgb(image), heatmap), caption
