"""Features of a split in two dimensions, by t-SNE or UMAP."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.models import BaseClassifier
from mmpretrain.registry import DATASETS
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from torch.utils.data import DataLoader

from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.evaluation.features import extract_features

_MIN_IMAGES = 4
_PANEL = 4.6  # inches


@dataclass(frozen=True)
class Embedding:
    """Images as points of a plane.

    Attributes:
        points (np.ndarray): (N, 2).
        labels (np.ndarray): (N,).
        classes (tuple[str, ...]): Names of the classes.
        dataset (str): Class of the dataset, such as ``Emo8``.
        silhouette (float): Of the features, from -1 to 1; how much closer
            images are to their own class than to the next. NaN if every
            image has a class of its own.
    """

    points: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    dataset: str
    silhouette: float


def embed_split(
    model: BaseModel,
    split: str = 'test',
    method: str = 'tsne',
    seed: int = 0,
    limit: int | None = None,
    perplexity: float | None = None,
    title: str = 'features',
) -> Embedding:
    """Extract the features of a split and reduce them to two dimensions.

    Args:
        model (BaseModel): A classifier with ``_config``, as ``load_model``
            returns it; only its backbone is used. It is moved to the
            accelerator.
        split (str): Split of the config's test dataset. Defaults to 'test'.
        method (str): 'tsne' or 'umap'. Defaults to 'tsne'.
        seed (int): Of the method and the choice of images. Defaults to 0.
        limit (int, optional): Maximum number of images, chosen at random.
        perplexity (float, optional): Of t-SNE. Defaults to 30, or less for
            few images.
        title (str): Of the progress bar.

    Returns:
        Embedding: The points.

    Raises:
        FileNotFoundError: The data are missing.
        ImportError: The package umap-learn is not installed.
        ValueError: The model is not a classifier, or there are too few images
            or classes.
    """
    reduce = reduction(method, seed, perplexity)
    loader = _build_loader(model, split, limit, seed)
    dataset: Any = loader.dataset
    model = model.to(torch.device(get_device()))
    features, labels = extract_features(model, loader, title)
    found = len(set(labels))
    if len(features) < _MIN_IMAGES or found < 2:
        raise ValueError(
            f'{split} has {len(features)} images of {found} classes; expected '
            f'at least {_MIN_IMAGES} images of 2 classes'
        )
    silhouette = float('nan')
    if found < len(labels):
        silhouette = float(silhouette_score(features, labels))
    return Embedding(
        reduce(features),
        labels,
        tuple(dataset.metainfo['classes']),
        type(dataset).__name__,
        silhouette,
    )


def _build_loader(
    model: BaseModel, split: str, limit: int | None, seed: int
) -> DataLoader:
    """Build the loader of a split, in order, with the test pipeline."""
    cfg = copy.deepcopy(model._config)
    if not isinstance(model, BaseClassifier) or not cfg.get('test_dataloader'):
        raise ValueError(
            f'{cfg.filename}: {type(model).__name__} has no classes to show: '
            'give the config of a classifier of the same architecture, such '
            'as --config configs/finetune/vit-l_uniemox_fi.py for ViT-L'
        )
    fit_to_machine(cfg, 'none')
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    cfg.test_dataloader.dataset.split = split
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if limit is not None and limit < len(dataset):
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(dataset), limit, replace=False)
        dataset.get_subset_(np.sort(rows).tolist())
    return Runner.build_dataloader({**cfg.test_dataloader, 'dataset': dataset})


def reduction(
    method: str, seed: int, perplexity: float | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that reduces features (N, C) to points (N, 2).

    Raises:
        ImportError: The package umap-learn is not installed.
        ValueError: There is no such method.
    """
    if method == 'tsne':
        return partial(_tsne, seed=seed, perplexity=perplexity)
    if method != 'umap':
        raise ValueError(f"{method}: expected 'tsne' or 'umap'")
    try:
        from umap import UMAP
    except ImportError:
        raise ImportError(
            'UMAP needs the package umap-learn: pip install umap-learn, or '
            "pip install -e '.[pictures]'; t-SNE (--method tsne) does not"
        ) from None
    # With a seed UMAP runs in one process, and warns if that is not asked for.
    return UMAP(random_state=seed, n_jobs=1).fit_transform


def _tsne(
    features: np.ndarray, seed: int, perplexity: float | None
) -> np.ndarray:
    most = (len(features) - 1) / 3
    used = min(30.0, most) if perplexity is None else perplexity
    if not 0 < used < len(features):
        raise ValueError(
            f'a perplexity of {used} needs more than {len(features)} images'
        )
    tsne = TSNE(perplexity=used, init='pca', random_state=seed)
    return tsne.fit_transform(features)


def draw_embeddings(
    embeddings: Mapping[str, Embedding], method: str, split: str
) -> Figure:
    """Draw a panel per encoder, with a color per class.

    Args:
        embeddings (Mapping[str, Embedding]): Name -> points, all of the same
            classes.
        method (str): Name of the method, for the title.
        split (str): Split of the dataset, for the title.

    Returns:
        Figure: The panels.

    Raises:
        ValueError: The classes differ.
    """
    known = {found.classes for found in embeddings.values()}
    if len(known) > 1:
        raise ValueError(
            'these were embedded with different classes: '
            + '; '.join(', '.join(classes) for classes in known)
        )
    (classes,) = known
    figure = Figure(
        figsize=(max(6, _PANEL * len(embeddings)), _PANEL + 1.2),
        dpi=120,
        layout='constrained',
    )
    counts = {len(found.labels) for found in embeddings.values()}
    datasets = dict.fromkeys(found.dataset for found in embeddings.values())
    figure.suptitle(
        f'{method} of {" or ".join(map(str, sorted(counts)))} images, '
        f'{" and ".join(datasets)} {split}'
    )
    axes = figure.subplots(1, len(embeddings), squeeze=False)[0]
    colors = _class_colors(len(classes))
    for axis, (name, found) in zip(axes, embeddings.items(), strict=True):
        # Shuffled, or the last class would cover the others.
        order = np.random.default_rng(0).permutation(len(found.labels))
        axis.scatter(
            *found.points[order].T,
            s=16,
            color=colors[found.labels[order]],
            alpha=0.8,
            linewidths=0,
        )
        title = name
        if not np.isnan(found.silhouette):
            title += f', silhouette {found.silhouette:.3f}'
        axis.set(title=title, xticks=[], yticks=[])
    handles = [
        Line2D([], [], color=color, marker='o', linestyle='', label=name)
        for name, color in zip(classes, colors, strict=True)
    ]
    # Rows of equal length, as far as possible.
    lines = -(-len(classes) // (4 if len(embeddings) == 1 else 6))
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=-(-len(classes) // lines),
        frameon=False,
    )
    return figure


def _class_colors(count: int) -> np.ndarray:
    """RGBA colors, (count, 4)."""
    if count <= 10:
        return np.array([colormaps['tab10'](i) for i in range(count)])
    return colormaps['turbo'](np.linspace(0, 1, count))
