"""Reconstructions of masked images by one or several pretrained models."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.registry import DATASETS
from tqdm import tqdm

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.center_crops import center_crops, spread_paths
from uniemox_mm.datasets.image_sources import list_sources
from uniemox_mm.datasets.lmdb_paths import split_lmdb_path
from uniemox_mm.models.selfsup.reconstruction import (
    Reconstruction,
    check_reconstructs,
    draw_masks,
    render_reconstructions,
)
from uniemox_mm.utils.figures import picture_grid


def check_comparable(models: Mapping[str, BaseSelfSupervisor]) -> None:
    """Refuse models that cannot reconstruct the same masked images.

    Args:
        models (Mapping[str, BaseSelfSupervisor]): Name -> model.

    Raises:
        ValueError: A model does not reconstruct, or takes images or patches
            of another size than the first.
    """
    sizes = {}
    for name, model in models.items():
        try:
            check_reconstructs(model)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from None
        vit = model.backbone
        sizes[name] = (
            f'{vit.img_size[0]} x {vit.img_size[1]} pixels in '
            f'{vit.patch_resolution[0]} x {vit.patch_resolution[1]} patches'
        )
    if len(set(sizes.values())) > 1:
        raise ValueError(
            'these models cannot be given the same masks, since the sizes of '
            'their images or patches differ: '
            + ', '.join(f'{name}: {size}' for name, size in sizes.items())
        )


def choose_paths(cfg: Config, split: str, count: int) -> list[str]:
    """Return images evenly spread over a split of a pretraining dataset.

    Args:
        cfg (Config): A config of pretraining.
        split (str): Split of its training dataset.
        count (int): Number of images, or fewer if it has no more.

    Returns:
        list[str]: Their paths.

    Raises:
        FileNotFoundError: The data are missing.
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


def list_paths(images: Sequence[str | Path]) -> list[str]:
    """List images and the images in folders.

    Raises:
        BadSampleError: A file does not exist, or a folder has no images.
    """
    sources = list_sources(list(images))
    for source in sources:
        path = source.path or ''
        known = split_lmdb_path(path) is not None or Path(path).exists()
        if source.error or not known:
            raise BadSampleError(source.error or f'{path}: no such image')
    return [str(source.path) for source in sources]


def reconstruct_images(
    models: Mapping[str, BaseSelfSupervisor],
    paths: Sequence[str | Path],
    mask_ratio: float | None = None,
    seed: int = 0,
) -> dict[str, Reconstruction]:
    """Reconstruct the same masked patches of the same images by each model.

    Args:
        models (Mapping[str, BaseSelfSupervisor]): Name -> model, which
            :func:`check_comparable` accepts.
        paths (Sequence[str | Path]): The images.
        mask_ratio (float, optional): Ratio of masked patches. Defaults to
            that of the first model's training.
        seed (int): Of the masks. Defaults to 0.

    Returns:
        dict[str, Reconstruction]: Name -> pictures.

    Raises:
        BadSampleError: An image cannot be used.
        ValueError: The ratio masks nothing or everything.
    """
    backbone = next(iter(models.values())).backbone
    images = center_crops(list(map(str, paths)), backbone.img_size[0])
    order = draw_masks(len(images), backbone.num_patches, seed)
    ratio = backbone.mask_ratio if mask_ratio is None else mask_ratio
    return {
        name: render_reconstructions(model, images, order, ratio)
        for name, model in tqdm(
            models.items(),
            'reconstructions',
            disable=len(models) < 2,
            leave=False,
        )
    }


def draw_reconstructions(found: Mapping[str, Reconstruction]) -> Figure:
    """Draw original, masked, reconstruction and pasted, one row per image.

    The title of the reconstruction warns of its visible patches: the loss is
    of masked ones only, so that the decoder predicts noise there.

    Args:
        found (Mapping[str, Reconstruction]): Name -> pictures of the same
            images under the same masks. If there are several, the last two
            columns are repeated for each, under its name.

    Returns:
        Figure: The grid.
    """
    first = next(iter(found.values()))
    columns: dict[str, np.ndarray] = {
        'original': first.original,
        f'masked ({first.hidden.mean():.0%} hidden)': first.masked,
    }
    for name, pictures in found.items():
        above = f'{name}\n' if len(found) > 1 else ''
        title = f'{above}reconstruction\n(trained where hidden)'
        columns[title] = pictures.reconstruction
        columns[f'{above}pasted'] = pictures.pasted
    rows = [
        [(picture, '') for picture in row]
        for row in zip(*columns.values(), strict=True)
    ]
    return picture_grid(list(columns), rows)
