"""Former name of :mod:`.load_model`, until nothing imports it."""

from pathlib import Path

from mmengine.config import Config
from mmengine.model import BaseModel

from .load_model import build_model, load_model

__all__ = ['build_model', 'load_pretrained']


def load_pretrained(
    config: str | Path | Config, checkpoint: str | Path
) -> BaseModel:
    """Call :func:`load_model`."""
    return load_model(checkpoint, config)
