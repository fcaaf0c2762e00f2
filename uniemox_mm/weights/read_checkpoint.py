"""Read weights from files without running anything in them."""

import json
import pickle
import re
import threading
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from uniemox_mm.utils.terminal_text import printable

from .safe_unpickling import check_stored, is_torchscript, plain_globals

SAFETENSORS = '.safetensors'
_ZIP = b'PK\x03\x04'
_DTYPES = {
    torch.float64, torch.float32, torch.float16, torch.bfloat16,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
    torch.bool,
}  # fmt: skip
_reading = threading.Lock()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a file of tensors and plain values.

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
        raise FileNotFoundError(f'{path}: is a folder; expected a file')
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint')
    read = _read_safetensors if path.suffix == SAFETENSORS else _read_pickle
    try:
        content = read(path)
    except Exception as error:
        raise ValueError(
            f'{path}: not a checkpoint of plain weights, so nothing was '
            f'loaded ({printable(_explain(path, error))})'
        ) from None
    if not isinstance(content, dict):
        raise _no_state_dict(path, type(content).__name__)
    return content


def _read_pickle(path: Path) -> Any:
    if _head(path) == _ZIP:  # torch goes by this too
        with zipfile.ZipFile(path) as archive:
            check_stored(archive, *archive.namelist())
    # torch has one list for the process, which the first to leave restores.
    with _reading, torch.serialization.safe_globals(plain_globals()):
        return torch.load(path, map_location='cpu', weights_only=True)


def _head(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(len(_ZIP))


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework='pt') as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        meta = json.loads((file.metadata() or {}).get('uniemox_mm', '{}'))
    return dict(state_dict=weights, meta=meta)


def _explain(path: Path, error: Exception) -> str:
    """Explain why a checkpoint cannot be read.

    torch's own messages go on to advise how to run the file all the same.
    """
    head = _head(path)
    if not head:
        return 'it is empty: a download or a copy has failed'
    if asked := re.search(r'GLOBAL (\S+)|it asks for (.+)', str(error)):
        return (
            f'it asks for {asked[1] or asked[2]}, which is code and not '
            'weights; none of it was run'
        )
    if head == _ZIP and not zipfile.is_zipfile(path):
        return 'it is cut off: copy or download it again'
    if is_torchscript(path):
        return (
            'it is a TorchScript archive, which is a program: convert it with '
            'tools/model_converters/convert.py first'
        )
    problem = 'it is damaged, or not a file that torch.save wrote'
    if isinstance(error, pickle.UnpicklingError | RuntimeError):
        return f'{problem}; none of it was run'
    return f'{problem}: {error}'


def weights_of(
    content: Mapping[str, Any],
    path: str | Path,
    entries: Iterable[str] = ('state_dict',),
) -> dict:
    """Take the state dict from what :func:`read_checkpoint` read.

    It is the first of ``entries`` that is there, or else the whole content.

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
        if problem := _find_problem(value):
            raise ValueError(
                f'{path}: {key!r} is {problem}; expected dense tensors of '
                'numbers'
            )
    return weights


def _find_problem(value: Tensor) -> str | None:
    """Describe a tensor that is not a plain array of numbers."""
    if value.is_nested:
        return 'nested'
    if value.layout != torch.strided:
        return str(value.layout)
    if value.dtype not in _DTYPES:
        return str(value.dtype)
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
    """Read a checkpoint and take its weights, name -> tensor on the CPU.

    Raises as :func:`read_checkpoint` and :func:`weights_of` do.
    """
    return weights_of(read_checkpoint(path), path)


def _no_state_dict(path: str | Path, found: object) -> ValueError:
    return ValueError(
        f'{path}: expected a state dict or a checkpoint with "state_dict", '
        f'but found {found}'
    )
