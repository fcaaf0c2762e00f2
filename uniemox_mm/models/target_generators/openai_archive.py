"""Reads CLIP as OpenAI publishes it: a TorchScript archive.

Such an archive is a program, and ``torch.jit.load`` may run parts of it. The
weights are data beside it, and are read here without it.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_NOT_WEIGHTS = {'input_resolution', 'context_length', 'vocab_size'}
_DTYPES = {
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'DoubleStorage': torch.float64,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'BoolStorage': torch.bool,
}


def is_torchscript(pretrained: str | Path | None) -> bool:
    """Whether this is a file as OpenAI publishes CLIP."""
    if pretrained is None or not zipfile.is_zipfile(pretrained):
        return False
    with zipfile.ZipFile(pretrained) as archive:
        return any(Path(n).name == 'constants.pkl' for n in archive.namelist())


def read_torchscript(path: str | Path) -> dict[str, Tensor]:
    """The weights in a TorchScript archive, under open_clip's names.

    Args:
        path (str | Path): The archive.

    Returns:
        dict[str, Tensor]: Name -> tensor, on the CPU.

    Raises:
        ValueError: The archive is damaged or names anything but modules and
            tensors, which is not run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            model = _Weights(archive).load()
    except Exception as error:
        raise ValueError(
            f'{path}: no weights were loaded from this TorchScript archive '
            f'({type(error).__name__}: {error})'
        ) from None
    return {
        name: tensor
        for name, tensor in _tensors(model)
        if name not in _NOT_WEIGHTS
    }


class _Module:
    """Stands for any class of the program; has its attributes, no code."""


class _Weights(pickle.Unpickler):
    """Reads ``data.pkl`` of an archive: modules, tensors, plain values."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        (name,) = (n for n in archive.namelist() if n.endswith('/data.pkl'))
        super().__init__(archive.open(name))
        self.archive, self.folder = archive, Path(name).parent

    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == '__torch__':
            return _Module
        if module == 'torch' and name in _DTYPES:
            return _DTYPES[name]
        known = {
            'torch._utils._rebuild_tensor_v2': _tensor,
            'collections.OrderedDict': OrderedDict,
        }
        if f'{module}.{name}' not in known:
            raise ValueError(
                f'it asks for {module}.{name}; nothing of it was run'
            )
        return known[f'{module}.{name}']

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, *_ = pid
        content = self.archive.read(f'{self.folder}/data/{key}')
        return torch.frombuffer(bytearray(content), dtype=dtype)


def _tensor(
    storage: Tensor, offset: int, size: Sequence, stride: Sequence, *_: object
) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _tensors(module: Any, prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a module and of those inside of it."""
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f'{prefix}{name}.')
