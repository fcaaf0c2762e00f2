"""Loads trained models from disk."""

import copy
from pathlib import Path

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import nn

from uniemox_mm.engine.resuming import find_checkpoint
from uniemox_mm.weights.encoder_weights import MisfitError, load_by_name
from uniemox_mm.weights.weight_files import describe_keys, load_weights


def load_pretrained(
    config: str | Path | Config, checkpoint: str | Path
) -> nn.Module:
    """Builds the model of a config and fills it from a checkpoint.

    Args:
        config (str | Path | Config): The config.
        checkpoint (str | Path): A checkpoint, or a work dir, of which the
            newest is taken.

    Returns:
        nn.Module: The model in eval mode, on the CPU.

    Raises:
        FileNotFoundError: There is no checkpoint.
        MisfitError: The weights do not fit the model.
    """
    if not isinstance(config, Config):
        config = Config.fromfile(config)
    path = Path(checkpoint)
    if path.is_dir():
        found = find_checkpoint(path)
        if found is None:
            raise FileNotFoundError(f'{path}: holds no epoch_*.pth')
        path = found
    model = build_model(config)
    weights = load_weights(path)
    try:
        missing, unexpected = load_by_name(model, weights)
    except ValueError as error:
        raise MisfitError(f'{path}: {error}') from None
    problems = describe_keys(missing, unexpected, ())
    if problems:
        raise MisfitError(f'{path}: keys {problems}')
    return model.eval()


def build_model(config: Config) -> BaseModel:
    """Builds the model of a config, of which a checkpoint is to fill all.

    Args:
        config (Config): The config; it is not changed.

    Returns:
        BaseModel: The model with fresh weights. A teacher has random ones.
    """
    init_default_scope(config.get('default_scope', 'mmpretrain'))
    settings = copy.deepcopy(config.model)
    if config.get('data_preprocessor'):  # as MMEngine's runner does
        pixels = copy.deepcopy(config.data_preprocessor)
        settings.setdefault('data_preprocessor', pixels)
    if settings.get('target_generator'):
        # The teacher is in no checkpoint, and a trained student needs none.
        settings['target_generator']['pretrained'] = None
    return MODELS.build(settings)
