"""Reads weights from files without running what a file may hold."""

import argparse
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from safetensors import safe_open
from torch import Tensor

from .unreadable_files import is_compressed, why_unreadable

SAFETENSORS = '.safetensors'
_SHOWN = 5
# Taken before distrust_checkpoints puts plain_globals in its place.
_mmengines_list = getattr(mmengine_checkpoint, 'get_torch_safe_globals', None)
_DTYPES = {
    torch.float64, torch.float32, torch.float16, torch.bfloat16,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
    torch.bool,
}  # fmt: skip
_reading = threading.Lock()
_LOG_METHODS = ('mean', 'max', 'min', 'current')


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Reads a file of tensors and plain values.

    Args:
        path (str | Path): A checkpoint of MMEngine, or a plain state dict,
            or a file of safetensors.

    Returns:
        dict[str, Any]: Its content, tensors on the CPU. Of safetensors the
        ``state_dict``, and ``meta`` where an export of ours has it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a checkpoint, is cut off, or holds
            anything but weights, which is not executed.
    """
    path = Path(path)
    if path.is_dir():
        raise FileNotFoundError(
            f'{path}: is a folder; expected a file of weights'
        )
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint')
    read = _read_safetensors if path.suffix == SAFETENSORS else _read_pickle
    try:
        content = read(path)
    except Exception as error:
        raise ValueError(
            f'{path}: not a checkpoint of plain weights, so nothing was '
            f'loaded ({why_unreadable(path, error)})'
        ) from None
    if not isinstance(content, dict):
        raise _no_state_dict(path, type(content).__name__)
    return content


def _read_pickle(path: Path) -> Any:
    if is_compressed(path):  # a few bytes may be gigabytes then
        raise ValueError('compressed')
    # torch has one list for the process, which the first to leave restores.
    with _reading, torch.serialization.safe_globals(plain_globals()):
        return torch.load(path, map_location='cpu', weights_only=True)


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework='pt') as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        meta = json.loads((file.metadata() or {}).get('uniemox_mm', '{}'))
    return dict(state_dict=weights, meta=meta)


def plain_globals() -> list:
    """What a checkpoint may name beside tensors.

    These are MMEngine's logs, and the command line that MAE's checkpoints
    hold. MMEngine's own list has ``getattr``, with which a file reaches
    ``eval``.
    """
    listed = _mmengines_list() if _mmengines_list else []
    plain = (item for item in listed if item is not getattr)
    return [*plain, argparse.Namespace, _log_method]


def _log_method(owner: object, name: str) -> Callable:
    """The part of ``getattr`` that MMEngine's logs need."""
    if owner is HistoryBuffer and name in _LOG_METHODS:
        return getattr(owner, name)
    raise ValueError(f'the file asks for {name!r} of {owner!r}')


# torch looks the allowed functions up by these names.
_log_method.__module__, _log_method.__qualname__ = 'builtins', 'getattr'


def weights_of(
    content: Mapping[str, Any],
    path: str | Path,
    entries: Iterable[str] = ('state_dict',),
) -> dict:
    """The state dict in what :func:`read_checkpoint` read from ``path``.

    Args:
        content (Mapping[str, Any]): What was read.
        path (str | Path): The file.
        entries (Iterable[str]): Where the weights may be; the first that is
            there counts, and without one they are the whole content.

    Returns:
        dict[str, Tensor]: Name -> tensor.

    Raises:
        ValueError: There is none, or it has other keys than text or other
            values than dense tensors of numbers that the file holds.
    """
    found = (content[entry] for entry in entries if entry in content)
    weights = next(found, content)
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(isinstance(v, Tensor) for v in weights.values())
    ):
        raise _no_state_dict(path, sorted(map(str, content))[:10])
    for key, value in weights.items():
        # Names go to the terminal, where escapes would be obeyed.
        if not isinstance(key, str) or not key.isprintable():
            raise ValueError(
                f'{path}: a weight is called {key!r}; expected names as text'
            )
        if problem := _why_no_numbers(value):
            raise ValueError(
                f'{path}: {key!r} is {problem}; expected dense tensors of '
                'numbers'
            )
    return weights


def _why_no_numbers(value: Tensor) -> str | None:
    """What a tensor is where it is no plain array of numbers."""
    dtype, layout = (
        str(part).removeprefix('torch.')
        for part in (value.dtype, value.layout)
    )
    if value.is_nested:
        return 'nested'
    if value.layout != torch.strided:
        return layout
    if value.dtype not in _DTYPES:
        return dtype
    if value.is_meta:
        return 'without content'
    held = value.untyped_storage().nbytes() // value.element_size()
    if value.numel() > held:
        return (
            f'of shape {tuple(value.shape)}, but the file holds {held} of its '
            'numbers'
        )
    return None


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint, and only weights.

    Args:
        path (str | Path): A checkpoint of MMEngine, or a plain state dict.

    Returns:
        dict[str, Tensor]: Name -> tensor, on the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As in :func:`read_checkpoint`, or there are no weights.
    """
    return weights_of(read_checkpoint(path), path)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def reshaped_keys(
    given: Mapping[str, Tensor], expected: Mapping[str, torch.Size]
) -> list[str]:
    """Descriptions of the keys whose shapes differ."""
    return [
        f'{k}: checkpoint {tuple(given[k].shape)}, model {tuple(shape)}'
        for k, shape in expected.items()
        if k in given and given[k].shape != shape
    ]


def describe_keys(
    missing: Iterable[str],
    unexpected: Iterable[str],
    reshaped: Iterable[str],
) -> str:
    """A sentence part on keys that do not fit, blank where all do."""
    return '; keys '.join(
        f'{len(keys)} {what}: {", ".join(keys[:_SHOWN])}'
        + (', ...' if len(keys) > _SHOWN else '')
        for what, keys in (
            ('missing', list(missing)),
            ('not of this model', list(unexpected)),
            ('of another shape', list(reshaped)),
        )
        if keys
    )


def _no_state_dict(path: str | Path, found: object) -> ValueError:
    return ValueError(
        f'{path}: expected a state dict or a checkpoint with "state_dict", '
        f'but found {found}'
    )
