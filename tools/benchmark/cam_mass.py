"""How much of an activation map lies where it should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModel
from mmpretrain.registry import DATASETS
from tqdm import tqdm

from uniemox_mm.datasets.image_sources import Source
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.engine.read_config import tested_dataset
from uniemox_mm.visualization.activation_maps import activation_maps

_BATCH = 32


@dataclass(frozen=True)
class CamMass:
    """Shares of N images, from 0 to 1.

    Attributes:
        mass (np.ndarray): Of the map inside the object, (N,); NaN where the
            map is empty.
        area (np.ndarray): Of the picture that the object takes, which is
            what a map without any sense has inside of it, (N,).
        correct (np.ndarray): Whether the class is right, (N,) bool.
        layer (str): Where it was looked.
    """

    mass: np.ndarray
    area: np.ndarray
    correct: np.ndarray
    layer: str


def cam_mass(
    model: BaseModel,
    boxes: Mapping[str, Sequence[float]],
    layer: str | None = None,
    progress: str = '',
) -> CamMass:
    """Measures activation maps against boxes of objects.

    The maps are those of the true class, on the test images.

    Args:
        model (BaseModel): Of :func:`load_model`.
        boxes (Mapping[str, Sequence[float]]): Path under the data root ->
            x1, y1, x2, y2 of the object in pixels.
        layer (str, optional): Where to look.
        progress (str): What the progress bar says; blank for none.

    Returns:
        CamMass: The shares.

    Raises:
        ValueError: There is no box for a test image.
    """
    settings = tested_dataset(model._config)
    dataset = DATASETS.build(settings)
    prepare = InferencePipeline.from_config(settings.pipeline)
    parts = []
    for start in tqdm(
        range(0, len(dataset), _BATCH), progress, disable=not progress
    ):
        rows = range(start, min(start + _BATCH, len(dataset)))
        infos = [dataset.get_data_info(i) for i in rows]
        images, masks = zip(
            *(_with_mask(prepare, info, dataset, boxes) for info in infos),
            strict=True,
        )
        labels = [int(info['gt_label']) for info in infos]
        found = activation_maps(model, torch.stack(images), labels, layer)
        correct = found.scores.argmax(1) == labels
        inside = np.stack(masks)
        parts.append(
            (
                mass_inside(found.heat, inside),
                inside.mean((1, 2)),
                correct,
            )
        )
    mass, area, right = map(np.concatenate, zip(*parts, strict=True))
    return CamMass(mass, area, right, found.layer)


def mass_inside(heat: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Share of each map (N, H, W) inside masks (N, H, W), NaN if empty."""
    with np.errstate(invalid='ignore'):
        return (heat * inside).sum((1, 2)) / heat.sum((1, 2))


def _with_mask(
    prepare: InferencePipeline,
    info: dict,
    dataset: torch.utils.data.Dataset,
    boxes: Mapping[str, Sequence[float]],
) -> tuple[torch.Tensor, np.ndarray]:
    """A ready image, and where in it the object is."""
    path = info['img_path']
    name = str(Path(path).relative_to(dataset.data_root))  # type: ignore[attr-defined]
    if name not in boxes:
        raise ValueError(f'{path}: there is no box of its object')
    shape = prepare.read.whole(Source(path, path=path)).shape
    x1, y1, x2, y2 = (round(value) for value in boxes[name])
    picture = np.zeros(shape, np.uint8)
    picture[max(0, y1) : y2, max(0, x1) : x2] = 255
    # Through the same pipeline, so that it is cropped as the image is.
    mask = prepare(Source('the mask', content=picture))['inputs']
    image = prepare(Source(path, path=path))['inputs']
    return image, (mask[0] > 127).numpy()
