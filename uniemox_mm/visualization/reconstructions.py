"""Originals, what models see of them, and what they paint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.registry import DATASETS
from torch import Tensor
from tqdm import tqdm

from uniemox_mm.apis.pretrained import load_pretrained
from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.center_crops import center_crops, spread_paths
from uniemox_mm.datasets.image_sources import list_sources
from uniemox_mm.datasets.lmdb_paths import split_lmdb_path
from uniemox_mm.models.selfsup.reconstruction import (
    Reconstruction,
    check_reconstructs,
    draw_masks,
    picture_reconstructions,
)
from uniemox_mm.utils.figures import picture_grid

from .checkpoints import NamedCheckpoint

_TRAINED = '(trained where hidden)'


def load_painters(
    checkpoints: Sequence[NamedCheckpoint],
) -> dict[str, BaseSelfSupervisor]:
    """Loads masked autoencoders that can be given the same masks.

    Args:
        checkpoints (Sequence[NamedCheckpoint]): Of pretraining.

    Returns:
        dict[str, BaseSelfSupervisor]: Name -> model in eval mode, on the CPU.

    Raises:
        ValueError: A checkpoint does not fit its config, has no decoder, or
            takes images or patches of another size than the first.
    """
    models: dict[str, BaseSelfSupervisor] = {}
    sizes: dict[str, tuple] = {}
    for checkpoint in tqdm(
        checkpoints,
        'loading',
        disable=len(checkpoints) < 2,
        unit='model',
        leave=False,
    ):
        model = load_pretrained(checkpoint.config, checkpoint.path)
        try:
            check_reconstructs(model)
        except ValueError as error:
            raise ValueError(f'{checkpoint.path}: {error}') from None
        vit: Any = model.backbone
        sizes[checkpoint.name] = vit.img_size, vit.patch_resolution
        models[checkpoint.name] = model
    if len(set(sizes.values())) > 1:
        raise ValueError(
            'these models cannot be given the same masks, since they see '
            'images in other sizes or patches: '
            + ', '.join(
                f'{name}: {image[0]} x {image[1]} pixels in '
                f'{grid[0]} x {grid[1]} patches'
                for name, (image, grid) in sizes.items()
            )
        )
    return models


def choose_paths(cfg: Config, split: str, count: int) -> list[str]:
    """Images evenly spread over a split of a pretraining config's dataset.

    Raises:
        FileNotFoundError: The data are not there.
        ValueError: The config has no dataset.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    if not cfg.get('train_dataloader'):
        raise ValueError('the config has no train_dataloader: give --images')
    settings = cfg.train_dataloader.dataset
    while 'dataset' in settings:  # MMEngine's wrappers
        settings = settings.dataset
    changes = dict(split=split, pipeline=[])
    # Neither boxes nor captions are shown.
    unused = {key: None for key in ('persons', 'caption') if key in settings}
    return spread_paths(
        DATASETS.build({**settings, **changes, **unused}), count
    )


def given_paths(images: Sequence[str | Path]) -> list[str]:
    """Images that somebody named, with those of folders.

    Raises:
        BadSampleError: There is no such file, or a folder holds no images.
    """
    sources = list_sources(list(images))
    for source in sources:
        path = source.path or ''
        known = split_lmdb_path(path) is not None or Path(path).exists()
        if source.error or not known:
            raise BadSampleError(source.error or f'{path}: no such image')
    return [str(source.path) for source in sources]


def reconstruct_images(
    models: dict[str, BaseSelfSupervisor],
    paths: Sequence[str | Path],
    mask_ratio: float | None = None,
    seed: int = 0,
) -> dict[str, Reconstruction]:
    """Has models paint the same hidden patches of the same images.

    Args:
        models (dict[str, BaseSelfSupervisor]): Of :func:`load_painters`.
        paths (Sequence[str | Path]): The images.
        mask_ratio (float, optional): Share of the patches that is hidden.
            Defaults to that which the first model was trained with.
        seed (int): Of the masks. Defaults to 0.

    Returns:
        dict[str, Reconstruction]: Name -> pictures.

    Raises:
        BadSampleError: An image cannot be used.
        ValueError: The ratio hides nothing or everything.
    """
    backbone = next(iter(models.values())).backbone
    images: Tensor = center_crops(list(map(str, paths)), backbone.img_size[0])
    order = draw_masks(len(images), backbone.num_patches, seed)
    ratio = backbone.mask_ratio if mask_ratio is None else mask_ratio
    return {
        name: picture_reconstructions(model, images, order, ratio)
        for name, model in tqdm(
            models.items(),
            'painting',
            disable=len(models) < 2,
            unit='model',
            leave=False,
        )
    }


def draw_reconstructions(found: dict[str, Reconstruction]) -> Figure:
    """Lays out original, masked, reconstruction and pasted, a row an image.

    The reconstruction's title warns of its visible patches: the loss is of
    hidden ones only, so that the decoder paints noise there.

    Args:
        found (dict[str, Reconstruction]): Name -> pictures of the same images
            under the same masks. Of several the last two columns are there
            for each, under its name.

    Returns:
        Figure: The grid.
    """
    first = next(iter(found.values()))
    hidden = first.hidden.mean()
    columns: dict[str, np.ndarray] = {
        'original': first.original,
        f'masked ({hidden:.0%} hidden)': first.masked,
    }
    for name, pictures in found.items():
        above = f'{name}\n' if len(found) > 1 else ''
        columns[f'{above}reconstruction\n{_TRAINED}'] = pictures.painted
        columns[f'{above}pasted'] = pictures.pasted
    rows = [
        [(picture, '') for picture in row]
        for row in zip(*columns.values(), strict=True)
    ]
    return picture_grid(list(columns), rows)
