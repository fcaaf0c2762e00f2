"""Reads weights from files without running what a file may hold."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import Tensor

_SHOWN = 5


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
    if not isinstance(content, dict):
        raise _no_state_dict(path, type(content).__name__)
    return content


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
