"""Keeps MMEngine from running what a checkpoint may hold."""

import os

from mmengine.config import Config
from mmengine.runner import checkpoint

from .weight_files import plain_globals


def distrust_checkpoints() -> None:
    """Has this process take nothing but data from checkpoints.

    MMEngine retries a file that is not plain weights with full unpickling,
    and to resume it runs the text in ``meta.config``, a name that only old
    or foreign checkpoints have, to count the GPUs in it. Both run whatever
    is there.
    """
    if hasattr(checkpoint, 'get_torch_safe_globals'):
        os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
        checkpoint.get_torch_safe_globals = plain_globals
    # Only resuming reads configs from strings.
    Config.fromstring = _config_not_run


def _config_not_run(cfg_str: str, file_format: str) -> Config:
    return Config()
