"""Features of a split, and where they lie in a plane."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.models import BaseClassifier
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from torch.utils.data import DataLoader, Dataset, Subset

from uniemox_mm.apis.pretrained import build_model
from uniemox_mm.engine.hooks.encoder_weights_hook import load_as_configured
from uniemox_mm.engine.launch import fit_to_machine
from uniemox_mm.evaluation.features import extract_features
from uniemox_mm.weights.checked_loading import MisfitError, load_strictly
from uniemox_mm.weights.read_checkpoint import load_weights

from .checkpoints import NamedCheckpoint

_FEWEST = 4  # images


@dataclass(frozen=True)
class Embedding:
    """Images as points of a plane.

    Attributes:
        points (np.ndarray): (N, 2).
        labels (np.ndarray): (N,).
        classes (tuple[str, ...]): Their names.
        dataset (str): Its class, such as ``Emo8``.
        silhouette (float): Of the features, from -1 to 1; how much closer
            images are to their own class than to the next.
    """

    points: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    dataset: str
    silhouette: float


def embed_split(
    checkpoint: NamedCheckpoint,
    split: str = 'test',
    method: str = 'tsne',
    seed: int = 0,
    limit: int | None = None,
    perplexity: float | None = None,
) -> Embedding:
    """Extracts the features of a split and lays them out.

    Args:
        checkpoint (NamedCheckpoint): A classifier, or a pretrained encoder
            with the config of a classifier, whose backbone it enters.
        split (str): Of the config's test data. Defaults to 'test'.
        method (str): 'tsne' or 'umap'. Defaults to 'tsne'.
        seed (int): Of the layout and the choice. Defaults to 0.
        limit (int, optional): At most so many images, chosen at random.
        perplexity (float, optional): Of t-SNE: about how many neighbours
            count. Defaults to 30, or fewer for few images.

    Returns:
        Embedding: The points.

    Raises:
        FileNotFoundError: The data are not there.
        ImportError: umap-learn is not installed.
        ValueError: The config does not classify, the weights do not fit, or
            there are too few images or classes.
    """
    lay_out = layout(method, seed, perplexity)
    model = load_encoder_or_classifier(checkpoint)
    loader, classes = split_loader(checkpoint, split, limit, seed)
    title = f'features of {checkpoint.name}'
    features, labels = extract_features(model, loader, title)
    if len(features) < _FEWEST or len(set(labels)) < 2:
        raise ValueError(
            f'{split} has {len(features)} images of {len(set(labels))} '
            f'classes; expected at least {_FEWEST} of 2'
        )
    distinct = 1 < len(set(labels)) < len(labels)
    return Embedding(
        points=lay_out(features),
        labels=labels,
        classes=classes,
        dataset=_name_of(loader.dataset),
        silhouette=float(silhouette_score(features, labels))
        if distinct
        else float('nan'),
    )


def load_encoder_or_classifier(checkpoint: NamedCheckpoint) -> BaseModel:
    """A classifier, of which a checkpoint fills all or the backbone.

    Raises:
        ValueError: The config does not classify, or the weights do not fit.
    """
    cfg = checkpoint.config
    fit_to_machine(cfg, 'none')
    model = build_model(cfg)
    if not isinstance(model, BaseClassifier) or not cfg.get('test_dataloader'):
        raise ValueError(
            f'{checkpoint.path}: {type(model).__name__} has no classes to '
            'show: name the config of a classifier of the same architecture, '
            'such as --config configs/finetune/vit-l_uniemox_fi.py for ViT-L'
        )
    weights = load_weights(checkpoint.path)
    try:
        if model.state_dict().keys() <= weights.keys():
            load_strictly(model, weights)
        else:
            load_as_configured(cfg, model, weights)
    except MisfitError as error:
        raise MisfitError(f'{checkpoint.path}: {error}') from None
    return model.eval().to(torch.device(get_device()))


def split_loader(
    checkpoint: NamedCheckpoint,
    split: str,
    limit: int | None = None,
    seed: int = 0,
) -> tuple[DataLoader, tuple[str, ...]]:
    """Batches of a split as the test pipeline makes them ready.

    Returns:
        tuple[DataLoader, tuple[str, ...]]: The loader, in order, and the
        names of the classes.
    """
    cfg = checkpoint.config
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    settings = copy.deepcopy(cfg.test_dataloader)
    settings.dataset.split = split
    loader = Runner.build_dataloader(settings)
    dataset = loader.dataset
    classes = tuple(dataset.metainfo['classes'])
    if limit is None or limit >= len(dataset):
        return loader, classes
    rng = np.random.default_rng(seed)
    rows = sorted(rng.choice(len(dataset), limit, replace=False).tolist())
    few = DataLoader(
        Subset(dataset, rows),
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
    )
    return few, classes


def _name_of(dataset: Dataset) -> str:
    """The class of a dataset, or of that inside of a wrapper or a choice."""
    while (inner := getattr(dataset, 'dataset', None)) is not None:
        dataset = inner
    return type(dataset).__name__


def layout(
    method: str, seed: int, perplexity: float | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """What turns features (N, C) into points (N, 2).

    Raises:
        ImportError: umap-learn is not installed.
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
    # One process, which a seed asks for and a warning tells of otherwise.
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
