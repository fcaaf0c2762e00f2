"""Former name of :mod:`.load_model`, until nothing imports it."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.model import BaseModel

from uniemox_mm.engine.read_config import find_config, tested_dataset

from .load_model import check_classifies, load_model

__all__ = ['find_config', 'load_trained_classifier', 'tested_dataset']


def load_trained_classifier(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    classes: Sequence[str] | None = None,
) -> BaseModel:
    """Call :func:`load_model` and check that the model classifies."""
    model = load_model(checkpoint, config, classes)
    check_classifies(model)
    return model
