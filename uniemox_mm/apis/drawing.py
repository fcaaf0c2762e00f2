"""Pictures of what an inferencer found."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer
from PIL import Image, ImageDraw

from uniemox_mm.datasets.image_sources import Source


def draw_results(
    visualizer: UniversalVisualizer,
    sources: Sequence[Source],
    samples: Sequence[DataSample],
    read: Callable[[Source], np.ndarray],
    classes: Sequence[str],
    show_dir: str | Path | None = None,
    **settings,
) -> list[np.ndarray | None]:
    """Draws emotion and people onto each image that could be read.

    Args:
        visualizer (UniversalVisualizer): MMPretrain's.
        sources (Sequence[Source]): The images.
        samples (Sequence[DataSample]): What was found in them.
        read (Callable): Reads a source as (H, W, 3) uint8 BGR.
        classes (Sequence[str]): Names of the classes.
        show_dir (str | Path, optional): Folder for ``<drawing>.png``.
        **settings: Those of ``visualize_cls``.

    Returns:
        list[np.ndarray | None]: Each image as drawn, (H, W, 3) uint8 RGB, or
        None where it has no emotion.
    """
    if show_dir is not None:
        Path(show_dir).mkdir(parents=True, exist_ok=True)
    pictures: list[np.ndarray | None] = []
    for source, sample in zip(sources, samples, strict=True):
        if 'pred_score' not in sample:
            pictures.append(None)
            continue
        image = with_boxes(read(source)[..., ::-1], sample.get('persons'))
        name = source.drawing
        visualizer.visualize_cls(
            image,
            sample,
            classes=classes,
            draw_gt=False,
            name=name,
            out_file=show_dir and str(Path(show_dir) / f'{name}.png'),
            **settings,
        )
        pictures.append(visualizer.get_image())
    return pictures


def with_boxes(image: np.ndarray, boxes: np.ndarray | None) -> np.ndarray:
    """Draws boxes (M, 5) onto a copy of an image (H, W, 3) uint8 RGB."""
    canvas = Image.fromarray(np.ascontiguousarray(image))
    pen = ImageDraw.Draw(canvas)
    line = max(1, round(min(canvas.size) / 100))
    for box in [] if boxes is None else boxes:
        pen.rectangle([float(v) for v in box[:4]], outline='red', width=line)
    return np.array(canvas)
