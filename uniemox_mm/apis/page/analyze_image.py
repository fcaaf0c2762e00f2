"""Results that the page shows for an image."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from uniemox_mm.apis.emotion_inferencer import draw_boxes
from uniemox_mm.apis.predict import count_people
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import Source
from uniemox_mm.visualization.grad_cam import (
    describe_heatmap,
    grad_cam,
    overlay,
    to_rgb,
)
from uniemox_mm.visualization.reconstructions import reconstruct_images

from .page_models import PageModels

# Larger pictures are reduced to this for the browser only.
_LARGEST = 1024
# Small pictures are enlarged by whole numbers, so that pixels stay squares.
_SMALLEST = 384


@dataclass(frozen=True)
class ImageAnalysis:
    """Emotions, people and Grad-CAM of an image; empty if not available.

    Attributes:
        problem (str): Error, which names the file.
        scores (dict[str, float]): Class -> score.
        people (np.ndarray, optional): The image, upright, with person boxes,
            (H, W, 3) uint8 RGB, the longer side about 384 to 1,024.
        people_note (str): Number of people, or why there are no boxes.
        cam (np.ndarray, optional): The classifier's input with its Grad-CAM,
            (H, W, 3) uint8 RGB.
        cam_note (str): Class of the Grad-CAM, or why there is none.
    """

    problem: str = ''
    scores: dict[str, float] = field(default_factory=dict)
    people: np.ndarray | None = None
    people_note: str = ''
    cam: np.ndarray | None = None
    cam_note: str = ''


@dataclass(frozen=True)
class ImageReconstruction:
    """Pictures of a reconstruction, each (H, W, 3) uint8 RGB.

    Attributes:
        note (str): Number of masked patches, or an error.
        masked (np.ndarray, optional): The image with masked patches in grey.
        reconstruction (np.ndarray, optional): Output of the decoder.
        pasted (np.ndarray, optional): The image with the reconstruction in
            masked patches only.
    """

    note: str = ''
    masked: np.ndarray | None = None
    reconstruction: np.ndarray | None = None
    pasted: np.ndarray | None = None


def analyze_image(models: PageModels, path: str | Path) -> ImageAnalysis:
    """Predict emotions, find people and compute Grad-CAM.

    Args:
        models (PageModels): The models.
        path (str | Path): The image.

    Returns:
        ImageAnalysis: The scores are those of ``models.infer(path)``.
    """
    path = str(path)
    infer, source = models.infer, Source(path, path=path)
    known = models.boxes.find(path) if models.boxes else None
    try:
        ((item,),) = infer.preprocess(
            [source],
            return_person=infer.detector is not None,
            persons=None if known is None else [known],
        )
        with models.classifier_lock:
            (result,) = infer.postprocess(infer.forward([item]))
            problem = _with_file_name(result.get('error', ''), path)
            if 'scores' not in result:
                return ImageAnalysis(problem)
            cam, cam_note = _draw_cam(models, item, result['pred_label'])
        image = infer.pipeline.read.whole(source)[..., ::-1]
    except (BadSampleError, RuntimeError) as error:  # or out of memory
        return ImageAnalysis(_with_file_name(str(error), path))
    boxes = result.get('persons')
    return ImageAnalysis(
        problem,
        result['scores'],
        _draw_people(image, boxes),
        '' if problem else _describe_people(models, boxes),
        cam,
        cam_note,
    )


def reconstruct_image(
    models: PageModels, path: str | Path, percent: float
) -> ImageReconstruction:
    """Reconstruct an image of which some patches are masked.

    Args:
        models (PageModels): The models, with ``pretrained``.
        path (str | Path): The image.
        percent (float): Mask ratio, 0 to 100.

    Returns:
        ImageReconstruction: With the same masked patches each time, to which
        a larger ratio adds others.
    """
    model = models.pretrained
    assert model is not None
    try:
        with models.pretrained_lock:
            found = reconstruct_images({'': model}, [path], percent / 100)['']
    except (BadSampleError, ValueError, RuntimeError) as error:
        return ImageReconstruction(_with_file_name(str(error), str(path)))
    patches, ratio = model.backbone.num_patches, found.hidden[0].mean()
    return ImageReconstruction(
        f'{round(ratio * patches)} of {patches} patches masked ({ratio:.1%})',
        _enlarge(found.masked[0]),
        _enlarge(found.reconstruction[0]),
        _enlarge(found.pasted[0]),
    )


def _draw_cam(
    models: PageModels, item: dict, label: int
) -> tuple[np.ndarray | None, str]:
    if models.zero_shot:
        return None, 'not available for zero-shot CLIP'
    image = item['inputs']
    try:
        (heatmap,) = grad_cam(models.infer.model, image[None], label).heatmaps
    except (ImportError, ValueError) as error:
        return None, str(error)
    note = describe_heatmap(heatmap, models.infer.classes[label])
    return _enlarge(overlay(to_rgb(image), heatmap)), note


def _draw_people(image: np.ndarray, persons: np.ndarray | None) -> np.ndarray:
    """Resize an image for the browser and draw boxes at its new size."""
    height, width = image.shape[:2]
    scale = min(1.0, _LARGEST / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    # Reducing by whole numbers first takes a tenth of the time.
    pixels = Image.fromarray(np.ascontiguousarray(image))
    shown = _enlarge(np.asarray(pixels.resize(size, reducing_gap=2.0)))
    if persons is None:
        return shown
    ratio = [shown.shape[1] / width, shown.shape[0] / height] * 2
    return draw_boxes(shown, persons[:, :4] * np.array(ratio))


def _describe_people(models: PageModels, persons: np.ndarray | None) -> str:
    if not models.finds_people:
        return 'no detector or boxes file (--persons) was given'
    if persons is None:
        return 'the boxes file does not list this image'
    return count_people(len(persons)) if len(persons) else 'no people found'


def _enlarge(picture: np.ndarray) -> np.ndarray:
    zoom = -(-_SMALLEST // max(picture.shape[:2]))
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _with_file_name(message: str, path: str) -> str:
    """Replace the path of an upload, which users do not know, by its name."""
    return message.replace(path, Path(path).name)
