"""Samples of pretraining as the model gets them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageOps

from uniemox_mm.datasets import BadSampleError, BaseEmotionDataset
from uniemox_mm.datasets.sample_randomness import seeded
from uniemox_mm.utils.figures import SMALLEST, Cell, picture_grid

CHOSEN, OTHER = (255, 0, 90), (255, 210, 0)
_LEGEND = 'red: chosen crop\nyellow: all people'


def draw_pairs(
    dataset: BaseEmotionDataset, indices: Sequence[int], seed: int = 0
) -> Figure:
    """Draw samples with image, scene view and person view, two per row.

    The image has the boxes of all people and, in red, the crop around the
    chosen one. Captions give label, file and caption, or the error of a
    broken sample.

    Args:
        dataset (BaseEmotionDataset): A dataset whose pipeline begins with
            loading and has ``SceneAndPerson``.
        indices (Sequence[int]): Indices of the samples.
        seed (int): Of the augmentation. Defaults to 0.

    Returns:
        Figure: The grid.

    Raises:
        ValueError: The pipeline has no ``SceneAndPerson``.
    """
    samples = [draw_pair(dataset, index, seed) for index in indices]
    across = min(2, len(samples))
    if len(samples) % across:
        samples.append([(None, '')] * 3)
    cells = [cell for sample in samples for cell in sample]
    width = 3 * across
    titles = [f'image\n{_LEGEND}', 'scene', 'person'] * across
    rows = [cells[i : i + width] for i in range(0, len(cells), width)]
    return picture_grid(titles, rows)


def draw_pair(
    dataset: BaseEmotionDataset, index: int, seed: int
) -> list[Cell]:
    """Return the three cells of a sample, blank if it is broken."""
    info = dataset.get_data_info(index)
    label = dataset.metainfo['classes'][info['gt_label']]
    name = Path(info['img_path']).name
    original = None
    try:
        results = dataset.complete(info)
        with seeded(seed, index):
            for transform in dataset.pipeline.transforms:
                results = transform(results)
                if isinstance(results.get('img'), list):  # both views
                    break
                if original is None:
                    original = results['img'][..., ::-1]
    except BadSampleError as error:
        return [(None, f'{label}: {error}'), (None, ''), (None, '')]
    if original is None or not isinstance(results.get('img'), list):
        raise ValueError(
            'the pipeline of this config has no SceneAndPerson; expected a '
            'config of pretraining, such as configs/uniemox_vit-l_pretrain.py'
        )
    persons = results.get('persons', [])
    people = f'{len(persons)} {"person" if len(persons) == 1 else "people"}'
    if 'persons' not in results:
        people = 'no boxes'
    scene, person = (view[..., ::-1] for view in results['img'])
    image = _draw_boxes(
        ImageOps.contain(
            Image.fromarray(np.ascontiguousarray(original)),
            (max(SMALLEST, *scene.shape[:2]),) * 2,
        ),
        results['ori_shape'],
        persons,
        results['person_box'],
    )
    text = f'{label} ({name}, {people}): {results.get("caption", "")}'
    return [(image, text), (scene, ''), (person, '')]


def _draw_boxes(
    image: Image.Image,
    ori_shape: tuple[int, int],
    persons: Sequence[Sequence[float]],
    chosen: Sequence[float] | None,
) -> np.ndarray:
    """Draw boxes, in pixels of the original, on a resized image."""
    height, width = ori_shape
    scale = np.array([image.width / width, image.height / height] * 2)
    draw = ImageDraw.Draw(image)
    boxes = [(box, OTHER, 1) for box in persons]
    if chosen is not None:
        boxes.append((chosen, CHOSEN, 2))
    for box, color, line in boxes:
        corners = scale * np.asarray(box[:4]) - (0, 0, 1, 1)
        draw.rectangle(tuple(corners), outline=color, width=line)
    return np.asarray(image)
