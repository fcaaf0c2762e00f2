"""Reads weights from files without running what a file may hold."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import Tensor

_SHOWN = 5
# Taken before tools/train.py puts plain_globals in its place.
_mmengines_list = getattr(mmengine_checkpoint, 'get_torch_safe_globals', None)
_LOG_METHODS = ('mean', 'max', 'min', 'current')


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Reads a file of tensors and plain values.

    Args:
        path (str | Path): A checkpoint of MMEngine, or a plain state dict.

    Returns:
        dict[str, Any]: Its content, tensors on the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a checkpoint, is cut off, or holds
            anything but weights, which is not executed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint')
    try:
        with torch.serialization.safe_globals(plain_globals()):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        # torch goes on to advise how to load it all the same.
        what = str(error).partition('This file can still')[0].strip()
        raise ValueError(
            f'{path}: not a checkpoint of plain weights, so nothing was '
            f'loaded ({type(error).__name__}: {what})'
        ) from None
    if not isinstance(content, dict):
        raise _no_state_dict(path, type(content).__name__)
    return content


def plain_globals() -> list:
    """What a checkpoint may name beside tensors: MMEngine's logs.

    MMEngine's own list has ``getattr``, with which a file reaches ``eval``.
    """
    listed = _mmengines_list() if _mmengines_list else []
    return [*(item for item in listed if item is not getattr), _log_method]


def _log_method(owner: object, name: str) -> Callable:
    """The part of ``getattr`` that MMEngine's logs need."""
    if owner is HistoryBuffer and name in _LOG_METHODS:
        return getattr(owner, name)
    raise ValueError(f'the file asks for {name!r} of {owner!r}')


# torch looks the allowed functions up by these names.
_log_method.__module__, _log_method.__qualname__ = 'builtins', 'getattr'


def weights_of(content: Mapping[str, Any], path: str | Path) -> dict:
    """The state dict in what :func:`read_checkpoint` read from ``path``.

    Raises:
        ValueError: There is none.
    """
    weights = content.get('state_dict', content)
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(isinstance(v, Tensor) for v in weights.values())
    ):
        raise _no_state_dict(path, sorted(map(str, content))[:10])
    return weights


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
