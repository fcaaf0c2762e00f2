"""Loads trained models from disk, without running what a file may hold."""

import copy
from contextlib import nullcontext
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from uniemox_mm.engine.resuming import find_checkpoint


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint, and only weights.

    Args:
        path (str | Path): A checkpoint of MMEngine, or a plain state dict.

    Returns:
        dict[str, Tensor]: Name -> tensor, on the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a checkpoint, is cut off, or holds
            anything but weights, which is not executed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint')
    # MMEngine keeps its logs beside the weights.
    allowed = getattr(mmengine_checkpoint, 'get_torch_safe_globals', None)
    context = (
        torch.serialization.safe_globals(allowed())
        if allowed
        else nullcontext()
    )
    try:
        with context:
            content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        raise ValueError(
            f'{path}: not a checkpoint of plain weights, so nothing was '
            f'loaded ({type(error).__name__}: {error})'
        ) from None
    weights = content.get('state_dict', content)
    if not weights or not all(isinstance(v, Tensor) for v in weights.values()):
        raise ValueError(
            f'{path}: expected a state dict or a checkpoint with '
            f'"state_dict", but found {sorted(map(str, content))[:10]}'
        )
    return weights


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
        ValueError: The weights do not fit the model.
    """
    if not isinstance(config, Config):
        config = Config.fromfile(config)
    path = Path(checkpoint)
    if path.is_dir():
        found = find_checkpoint(path)
        if found is None:
            raise FileNotFoundError(f'{path}: holds no epoch_*.pth')
        path = found
    init_default_scope(config.get('default_scope', 'mmpretrain'))
    settings = copy.deepcopy(config.model)
    if settings.get('target_generator'):
        # The teacher is in no checkpoint, and a trained student needs none.
        settings['target_generator']['pretrained'] = None
    model = MODELS.build(settings)
    model.load_state_dict(load_weights(path), strict=True)
    return model.eval()
