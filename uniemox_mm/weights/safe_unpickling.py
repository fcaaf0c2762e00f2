"""Read pickles as data: no name in a file is looked up or run.

A pickle is a program. torch's weights-only unpickler allows it a list of
names, but three ways lead past it:

- MMEngine's list has ``getattr``, with which a file reaches ``eval``;
  :func:`plain_globals` is the list without it.
- MMEngine unpickles a file that was refused all over again, with everything
  allowed, and to resume it runs the text in ``meta.config``.
  :func:`distrust_checkpoints` patches MMEngine to do neither, for the whole
  process, and only where a program calls it.
- OpenAI's CLIP is a TorchScript archive, of which ``torch.jit.load`` may run
  parts. Its weights are data beside the program, and
  :func:`read_torchscript` unpickles only them.
"""

import argparse
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import Tensor

# Taken before distrust_checkpoints puts plain_globals in its place.
_mmengines_list = getattr(mmengine_checkpoint, 'get_torch_safe_globals', None)
_LOG_METHODS = ('mean', 'max', 'min', 'current')
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


def distrust_checkpoints() -> None:
    """Make MMEngine take nothing but data from checkpoints in this process.

    The text in ``meta.config``, a name that only old or foreign checkpoints
    have, is run to count the GPUs in it.
    """
    if hasattr(mmengine_checkpoint, 'get_torch_safe_globals'):
        os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
        mmengine_checkpoint.get_torch_safe_globals = plain_globals
    # Only resuming reads configs from strings.
    Config.fromstring = _config_not_run


def _config_not_run(cfg_str: str, file_format: str) -> Config:
    return Config()


def plain_globals() -> list:
    """Return what a checkpoint may name beside tensors.

    These are MMEngine's logs, and the command line that MAE's checkpoints
    hold.
    """
    listed = _mmengines_list() if _mmengines_list else []
    plain = (item for item in listed if item is not getattr)
    return [*plain, argparse.Namespace, _log_method]


def _log_method(owner: object, name: str) -> Callable:
    """Stand in for ``getattr``: the part that MMEngine's logs need."""
    if owner is HistoryBuffer and name in _LOG_METHODS:
        return getattr(owner, name)
    raise ValueError(f'it asks for {name!r} of {owner!r}')


# torch looks the allowed functions up by these names.
_log_method.__module__, _log_method.__qualname__ = 'builtins', 'getattr'


def check_stored(archive: zipfile.ZipFile, *names: str) -> None:
    """Refuse compressed members, of which a few bytes may be gigabytes."""
    for name in names:
        if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise ValueError(f'{name} is compressed; pack it with zip -0')


def is_torchscript(path: str | Path | None) -> bool:
    """Return whether this is a TorchScript archive, as OpenAI's CLIP."""
    if path is None or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # a broken archive raises what it likes
        return False
    return any(Path(name).name == 'constants.pkl' for name in names)


def read_torchscript(path: str | Path) -> dict[str, Tensor]:
    """Read a TorchScript archive: open_clip's name -> tensor on the CPU.

    Raises:
        ValueError: The archive is damaged or names anything but modules and
            tensors, which is not run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = dict(_tensors(_TorchScript(archive).load()))
        if not found:
            raise ValueError('it holds no tensors')
    except Exception as error:  # a broken archive raises what it likes
        problem = ascii(f'{type(error).__name__}: {error}')[1:-1]
        raise ValueError(
            f'{path}: no weights were loaded from this TorchScript archive '
            f'({problem}); expected CLIP as OpenAI publishes it: download it '
            'again, or save its state_dict with torch.save'
        ) from None
    return {k: v for k, v in found.items() if k not in _NOT_WEIGHTS}


class _Module:
    """Stand-in for any class of the program: its attributes, no code."""


# In Python, since the one in C lets nothing forbid an opcode.
class _TorchScript(pickle._Unpickler):
    """Unpickler of an archive's ``data.pkl``: modules, tensors, numbers."""

    stack: list  # which typeshed does not have

    def __init__(self, archive: zipfile.ZipFile) -> None:
        (name,) = (n for n in archive.namelist() if n.endswith('/data.pkl'))
        check_stored(archive, name)
        super().__init__(archive.open(name))
        self.archive, self.folder = archive, Path(name).parent
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == '__torch__':
            return _Module
        if module == 'torch' and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _tensor
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        raise ValueError(f'it asks for {module}.{name}; none of it was run')

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, *_ = pid
        name = f'{self.folder}/data/{key}'
        if name not in self.storages:
            check_stored(self.archive, name)
            content = bytearray(self.archive.read(name))
            self.storages[name] = torch.frombuffer(content, dtype=dtype)
        return self.storages[name]

    def load_build(self) -> None:
        """Give a module its attributes.

        Those of a class or a function would stay for the next archive.
        """
        state, module = self.stack.pop(), self.stack[-1]
        if not isinstance(module, _Module) or not isinstance(state, dict):
            raise ValueError('it changes more than its modules')
        vars(module).update(state)

    dispatch: ClassVar[dict[int, Callable]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
    }


def _tensor(
    storage: Tensor, offset: int, size: Sequence, stride: Sequence, *_: object
) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _tensors(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield names and tensors of a module and of those inside it."""
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
