"""Centre crops of images, and a choice of images, to show models on."""

from collections.abc import Sequence

import numpy as np
import torch
from mmpretrain.registry import TRANSFORMS
from torch import Tensor
from torch.utils.data import Dataset


def center_crops(paths: Sequence[str], size: int) -> Tensor:
    """Read images, each as its largest centred square.

    Args:
        paths (Sequence[str]): The images.
        size (int): Side of the result, in pixels.

    Returns:
        Tensor: (N, 3, size, size) uint8, BGR as MMCV decodes it.

    Raises:
        BadSampleError: An image cannot be used; the message names it.
    """
    pipeline = [
        TRANSFORMS.build(step)
        for step in (
            dict(type='LoadEmotionImage'),
            dict(
                type='ResizeEdge', scale=size, edge='short', backend='pillow'
            ),
            dict(type='CenterCrop', crop_size=size),
        )
    ]
    images = []
    for path in paths:
        results: dict = dict(img_path=str(path))
        for transform in pipeline:
            results = transform(results)
        images.append(results['img'].transpose(2, 0, 1).copy())
    return torch.from_numpy(np.stack(images))


def spread_paths(dataset: Dataset, count: int) -> list[str]:
    """Return paths evenly spread over a dataset, which may be sorted.

    Args:
        dataset (Dataset): A dataset of MMEngine.
        count (int): Number of images, or fewer if it has no more.

    Returns:
        list[str]: The paths.
    """
    total = len(dataset)  # type: ignore[arg-type]
    rows = np.linspace(0, total - 1, min(count, total))
    return [dataset.get_data_info(int(i))['img_path'] for i in rows]  # type: ignore[attr-defined]
