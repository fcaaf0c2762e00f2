"""A checkpoint of ours with the config that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.models import BaseClassifier
from torch import Tensor

from uniemox_mm.apis.pretrained import build_model
from uniemox_mm.apis.trained_classifier import (
    find_config,
    load_trained_classifier,
)
from uniemox_mm.engine.read_config import read_config, resolve_checkpoint
from uniemox_mm.utils.quiet import quiet_logging
from uniemox_mm.utils.sha256_file import sha256_file
from uniemox_mm.weights.checked_loading import check_weights
from uniemox_mm.weights.read_checkpoint import read_checkpoint, weights_of


@dataclass(frozen=True)
class TrainedModel:
    """A checkpoint of ours, to be exported.

    Attributes:
        path (Path): The checkpoint.
        sha256 (str): Of the file.
        config (Config): What it was trained with.
        weights (dict[str, Tensor]): All of it, by MMPretrain's names.
        model (BaseModel): A classifier with these weights, in eval mode; of
            pretraining a model on the meta device, which knows the sizes.
        classes (tuple[str, ...], optional): Of a classifier.
    """

    path: Path
    sha256: str
    config: Config
    weights: dict[str, Tensor]
    model: BaseModel
    classes: tuple[str, ...] | None


def read_trained(
    checkpoint: str | Path,
    config: str | Path | None = None,
    classes: Sequence[str] | None = None,
) -> TrainedModel:
    """Reads a checkpoint and the config that it was trained with.

    Args:
        checkpoint (str | Path): A checkpoint, or a work dir, of which the one
            that is best on val is taken, or the newest.
        config (str | Path, optional): Its config. Defaults to the only one
            in its folder; the text inside of the checkpoint is never run.
        classes (Sequence[str], optional): Names of a classifier's classes.
            Defaults to those that the checkpoint or the config names.

    Returns:
        TrainedModel: Both.

    Raises:
        FileNotFoundError: There is no checkpoint or config.
        ValueError: The checkpoint is not of the config, or holds more than
            weights.
    """
    path = Path(resolve_checkpoint(str(checkpoint)))
    weights = weights_of(read_checkpoint(path), path)
    cfg = read_config(config or find_config(path))
    with quiet_logging():  # of what matters to training only
        return _read(path, weights, cfg, classes)


def _read(
    path: Path,
    weights: dict[str, Tensor],
    cfg: Config,
    classes: Sequence[str] | None,
) -> TrainedModel:
    with torch.device('meta'):
        model = build_model(cfg)
    names = None
    if isinstance(model, BaseClassifier):
        model = load_trained_classifier(path, cfg, classes).eval()
        names = tuple(model._dataset_meta['classes'])
    else:
        try:
            check_weights(model, weights)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from None
    return TrainedModel(path, sha256_file(path), cfg, weights, model, names)
