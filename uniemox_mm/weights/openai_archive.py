"""Reads CLIP as OpenAI publishes it: a TorchScript archive.

Such an archive is a program, and ``torch.jit.load`` may run parts of it. The
weights are data beside it, and are read here without it.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

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
    try:
        with zipfile.ZipFile(pretrained) as archive:
            names = archive.namelist()
    except Exception:  # a broken archive raises what it likes
        return False
    return any(Path(name).name == 'constants.pkl' for name in names)


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
            found = dict(_tensors(_Weights(archive).load()))
        if not found:
            raise ValueError('it holds no tensors')
    except Exception as error:  # a broken archive raises what it likes
        problem = ascii(f'{type(error).__name__}: {error}')[1:-1]
        raise ValueError(
            f'{path}: no weights were loaded from this TorchScript archive '
            f'({problem}); expected CLIP as OpenAI publishes it: download it '
            'anew, or save its state_dict with torch.save'
        ) from None
    return {k: v for k, v in found.items() if k not in _NOT_WEIGHTS}


class _Module:
    """Stands for any class of the program; has its attributes, no code."""


# In Python, since the one in C lets nothing forbid an opcode.
class _Weights(pickle._Unpickler):
    """Reads ``data.pkl`` of an archive: modules, tensors, plain values."""

    stack: list  # which typeshed does not have

    def __init__(self, archive: zipfile.ZipFile) -> None:
        (name,) = (n for n in archive.namelist() if n.endswith('/data.pkl'))
        _check_stored(archive, name)
        super().__init__(archive.open(name))
        self.archive, self.folder = archive, Path(name).parent
        self.storages: dict[str, Tensor] = {}

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
        name = f'{self.folder}/data/{key}'
        if name not in self.storages:
            _check_stored(self.archive, name)
            content = bytearray(self.archive.read(name))
            self.storages[name] = torch.frombuffer(content, dtype=dtype)
        return self.storages[name]

    def load_build(self) -> None:
        """Gives a module its attributes.

        Of a class or a function they would stay for the next archive.
        """
        state, module = self.stack.pop(), self.stack[-1]
        if not isinstance(module, _Module) or not isinstance(state, dict):
            raise ValueError('it changes more than its modules')
        vars(module).update(state)

    dispatch: ClassVar[dict[int, Callable]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
    }


def _check_stored(archive: zipfile.ZipFile, name: str) -> None:
    """So that a few bytes are not gigabytes."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f'{name} is compressed')


def _tensor(
    storage: Tensor, offset: int, size: Sequence, stride: Sequence, *_: object
) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _tensors(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a module and of those inside of it."""
    if not isinstance(model, _Module):
        raise ValueError(f'it holds a {type(model).__name__} and no module')
    seen: set[int] = set()
    inside = [('', model)]
    while inside:
        prefix, module = inside.pop()
        if id(module) in seen:
            raise ValueError('a module is in it twice')
        seen.add(id(module))
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                yield prefix + name, value
            elif isinstance(value, _Module):
                inside.append((f'{prefix}{name}.', value))
