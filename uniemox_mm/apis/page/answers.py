"""What the page shows of an image, without the page."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from uniemox_mm.apis.emotion_inferencer import draw_boxes
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import Source
from uniemox_mm.visualization.grad_cam import (
    describe_heatmap,
    grad_cam,
    overlay,
    to_rgb,
)
from uniemox_mm.visualization.reconstructions import reconstruct_images

from .models import PageModels

# Longer sides are made smaller for the browser, which need not carry what
# nobody sees. Models get the image itself.
_LARGEST = 1024
# Small crops are enlarged by whole numbers, so that pixels stay squares.
_SMALLEST = 384
_NO_CAM = (
    'CLIP is asked about the whole image: there is no layer of a classifier '
    'to look at'
)
_NO_PEOPLE = 'no detector was given when the page was started'


@dataclass(frozen=True)
class Answer:
    """What there is to show; what could not be found is empty.

    Attributes:
        problem (str): What is wrong with the image, by the name of its file.
        scores (dict[str, float]): Class -> score.
        people (np.ndarray, optional): The image, upright, with the boxes of
            people, (H, W, 3) uint8 RGB, the longer side about 384 to 1,024.
        people_note (str): How many there are, or why none are shown.
        cam (np.ndarray, optional): What the classifier sees of the image
            under its Grad-CAM, (H, W, 3) uint8 RGB.
        cam_note (str): Which class it is about, or why there is none.
    """

    problem: str = ''
    scores: dict[str, float] = field(default_factory=dict)
    people: np.ndarray | None = None
    people_note: str = ''
    cam: np.ndarray | None = None
    cam_note: str = ''


@dataclass(frozen=True)
class Painting:
    """What a masked autoencoder makes of an image.

    Attributes:
        note (str): How much of it was hidden, or what is wrong.
        masked (np.ndarray, optional): What it sees, (H, W, 3) uint8 RGB.
        painted (np.ndarray, optional): What it paints.
        pasted (np.ndarray, optional): The same in hidden patches only.
    """

    note: str = ''
    masked: np.ndarray | None = None
    painted: np.ndarray | None = None
    pasted: np.ndarray | None = None


def look_at(models: PageModels, path: str | Path) -> Answer:
    """Finds emotion, people and Grad-CAM of an image.

    Args:
        models (PageModels): The models.
        path (str | Path): The image.

    Returns:
        Answer: The scores are those of ``models.infer(path)``.
    """
    path = str(path)
    infer, source = models.infer, Source(path, path=path)
    known = models.boxes.find(path) if models.boxes else None
    try:
        (items,) = infer.preprocess(
            [source],
            return_person=infer.detector is not None,
            persons=None if known is None else [known],
        )
        (item,) = items
        with models.classifier_lock:
            samples = infer.forward(items)
            (result,) = infer.postprocess(samples)
            cam, cam_note = None, ''
            if 'scores' in result:
                cam, cam_note = _find_cam(models, item, result['pred_label'])
        problem = _by_name(result.get('error', ''), path)
        if 'scores' not in result:
            return Answer(problem)
        picture = infer.pipeline.read.whole(source)[..., ::-1]
    except (BadSampleError, RuntimeError) as error:  # or out of memory
        return Answer(_by_name(str(error), path))
    return Answer(
        problem,
        result['scores'],
        _with_people(picture, result.get('persons')),
        '' if problem else _people_note(models, result.get('persons')),
        cam,
        cam_note,
    )


def paint(models: PageModels, path: str | Path, percent: float) -> Painting:
    """Has the painter fill in hidden patches of an image.

    Args:
        models (PageModels): The models, with a painter.
        path (str | Path): The image.
        percent (float): Share of the patches to hide, 0 to 100.

    Returns:
        Painting: The same patches each time, and with a larger share others
        beside them.
    """
    try:
        with models.painter_lock:
            (found,) = reconstruct_images(
                models.painters, [path], percent / 100
            ).values()
    except (BadSampleError, ValueError, RuntimeError) as error:
        return Painting(_by_name(str(error), str(path)))
    (painter,) = models.painters.values()
    patches = painter.backbone.num_patches
    share = found.hidden[0].mean()
    return Painting(
        f'{round(share * patches)} of {patches} patches hidden ({share:.1%})',
        *map(
            _enlarged,
            (found.masked[0], found.reconstruction[0], found.pasted[0]),
        ),
    )


def _find_cam(
    models: PageModels, item: dict, label: int
) -> tuple[np.ndarray | None, str]:
    if models.zero_shot:
        return None, _NO_CAM
    name = models.infer.classes[label]
    image = item['inputs']
    try:
        found = grad_cam(models.infer.model, image[None], label)
    except (ImportError, ValueError) as error:
        return None, str(error)
    (heatmap,) = found.heatmaps
    note = describe_heatmap(heatmap, name)
    return _enlarged(overlay(to_rgb(image), heatmap)), note


def _enlarged(picture: np.ndarray) -> np.ndarray:
    zoom = -(-_SMALLEST // max(picture.shape[:2]))
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _with_people(
    picture: np.ndarray, persons: np.ndarray | None
) -> np.ndarray:
    """Boxes on the picture, both in a size for the browser."""
    height, width = picture.shape[:2]
    scale = min(1.0, _LARGEST / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    # Shrinking by whole numbers first takes a tenth of the time.
    image = Image.fromarray(np.ascontiguousarray(picture))
    shown = _enlarged(np.asarray(image.resize(size, reducing_gap=2.0)))
    if persons is None:
        return shown
    ratio = [shown.shape[1] / width, shown.shape[0] / height] * 2
    return draw_boxes(shown, persons[:, :4] * np.array(ratio))


def _people_note(models: PageModels, persons: np.ndarray | None) -> str:
    if not models.knows_people:
        return _NO_PEOPLE
    if persons is None:
        return 'no boxes are known of this image'
    count = len(persons)
    if not count:
        return 'nobody was found'
    return f'{count} {"person" if count == 1 else "people"}'


def _by_name(message: str, path: str) -> str:
    """A message that names a file as its owner does."""
    return message.replace(path, Path(path).name)
