"""Reads CLIP as OpenAI publishes it: a TorchScript archive."""

import zipfile
from pathlib import Path

import torch
from torch import Tensor


def is_torchscript(pretrained: str | None) -> bool:
    """Whether this is a file as OpenAI publishes CLIP."""
    if pretrained is None or not zipfile.is_zipfile(pretrained):
        return False
    with zipfile.ZipFile(pretrained) as archive:
        return any(Path(n).name == 'constants.pkl' for n in archive.namelist())


def read_torchscript(path: str | None) -> dict[str, Tensor]:
    """The weights in a TorchScript archive, under open_clip's names."""
    weights = torch.jit.load(path, map_location='cpu').state_dict()
    for size in ('input_resolution', 'context_length', 'vocab_size'):
        weights.pop(size, None)
    return weights
