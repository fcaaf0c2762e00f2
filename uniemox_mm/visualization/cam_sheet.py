"""Grad-CAM of several classifiers on several images, side by side."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.model import BaseModel
from tqdm import tqdm

from uniemox_mm.apis.trained_classifier import (
    load_trained_classifier,
    tested_dataset,
)
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import list_sources
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.utils.figures import Cell, picture_grid

from .activation_maps import activation_maps
from .checkpoints import NamedCheckpoint, short_names


def draw_activation_maps(
    checkpoints: Sequence[NamedCheckpoint],
    images: Sequence[str | Path],
    target: str | None = None,
    layer: str | None = None,
) -> Figure:
    """Draws a row an image: the image, and the map of each classifier on it.

    Below each map stands the predicted class with its score, and that of the
    class that the map is about where it is another. The image is shown as
    the first classifier sees it.

    Args:
        checkpoints (Sequence[NamedCheckpoint]): Classifiers.
        images (Sequence[str | Path]): Images and folders of images.
        target (str, optional): Name of the class to look for. Defaults to
            what each classifier predicts.
        layer (str, optional): Where to look, for all of them. Defaults to
            what suits each.

    Returns:
        Figure: The grid.

    Raises:
        ImportError: The package grad-cam is missing.
        ValueError: A checkpoint is no classifier or does not know the class
            or the layer, or an image cannot be used.
    """
    columns: list[list[Cell]] = []
    for checkpoint in tqdm(
        checkpoints, 'looking', disable=len(checkpoints) < 2, leave=False
    ):
        model = load_trained_classifier(checkpoint.path, checkpoint.config)
        classes = model._dataset_meta['classes']
        if target is not None and target not in classes:
            raise ValueError(
                f'{checkpoint.path}: knows no class {target!r}; it has '
                f'{", ".join(classes)}'
            )
        wanted = None if target is None else classes.index(target)
        try:
            names, ready = ready_images(model, images)
            cells = [_cell(model, image, wanted, layer) for image in ready]
        except BadSampleError:
            raise
        except ValueError as error:
            raise ValueError(f'{checkpoint.path}: {error}') from None
        if not columns:
            columns.append(
                [
                    (to_rgb(image), name)
                    for name, image in zip(
                        short_names(names), ready, strict=True
                    )
                ]
            )
        columns.append(cells)
    titles = ['image', *(checkpoint.name for checkpoint in checkpoints)]
    return picture_grid(titles, list(zip(*columns, strict=True)))


def ready_images(
    model: BaseModel, images: Sequence[str | Path]
) -> tuple[list[str], list[torch.Tensor]]:
    """Images as a classifier's test pipeline makes them ready.

    Args:
        model (BaseModel): Of :func:`load_trained_classifier`.
        images (Sequence[str | Path]): Images and folders of images.

    Returns:
        tuple[list[str], list[Tensor]]: Their paths, and (3, H, W) uint8, BGR.

    Raises:
        BadSampleError: An image cannot be used; the message names it.
    """
    pipeline = tested_dataset(model._config).pipeline
    prepare = InferencePipeline.from_config(pipeline)
    names, ready = [], []
    for source in list_sources(list(images)):
        item = prepare(source)
        if 'inputs' not in item:
            raise BadSampleError(item['data_samples'].error)
        names.append(source.name)
        ready.append(item['inputs'])
    return names, ready


def to_rgb(image: torch.Tensor) -> np.ndarray:
    """(3, H, W) BGR -> (H, W, 3) RGB."""
    return image.flip(0).permute(1, 2, 0).numpy()


def nothing_speaks_for(name: str) -> str:
    """What is said of a map without a positive value."""
    return f'nothing in the image speaks for {name} by itself'


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lays a map over an image, blue where it is 0 and red where it is 1.

    Args:
        image (np.ndarray): (H, W, 3) uint8 RGB.
        heat (np.ndarray): (H, W) from 0 to 1.

    Returns:
        np.ndarray: (H, W, 3) uint8 RGB.
    """
    levels = (255 * heat).round().astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    mixed = (image.astype(np.float32) + colors) / 2
    return mixed.round().astype(np.uint8)


def _cell(
    model: BaseModel,
    image: torch.Tensor,
    target: int | None,
    layer: str | None,
) -> Cell:
    found = activation_maps(model, image[None], target, layer)
    (scores,), (wanted,) = found.scores, found.targets
    classes = model._dataset_meta['classes']
    best = int(scores.argmax())
    caption = f'{classes[best]} {scores[best]:.2f}'
    if wanted != best:
        caption += f'\nmap of {classes[wanted]} {scores[wanted]:.2f}'
    if not found.heat.any():
        caption += f'\n{nothing_speaks_for(classes[wanted])}'
    return overlay(to_rgb(image), found.heat[0]), caption
