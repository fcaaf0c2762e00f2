"""Convert a file of another project to a checkpoint of MMPretrain's kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.check_target import check_target, is_same_file
from uniemox_mm.utils.sha256_file import sha256_file
from uniemox_mm.utils.terminal_text import printable
from uniemox_mm.version import __version__

from .convert_weights import ConversionReport, convert_weights
from .formats import HEADS
from .read_checkpoint import SAFETENSORS, read_checkpoint, weights_of
from .safe_unpickling import is_torchscript, read_torchscript

_ENTRIES = ('state_dict', 'model')
_WRAPPER = 'module.'


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    source_format: str = 'auto',
    classes: Sequence[str] | None = None,
    **options: Any,
) -> ConversionReport:
    """Convert a file, and write an account of every key beside it.

    Args:
        source (str | Path): A checkpoint of torch, a file of safetensors, or
            CLIP as OpenAI publishes it. Only weights are read.
        target (str | Path): The checkpoint to write; the report goes beside
            it, its name followed by ``.report.txt``.
        source_format (str): As of :func:`convert_weights`.
        classes (Sequence[str], optional): Names of the head's classes, in
            its order; a test then refuses data with another order.
        **options: Others of :func:`convert_weights`.

    Returns:
        ConversionReport: The account of every key.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be converted; the message names it and
            says why. Nothing is written then.
    """
    source, target = Path(source), Path(target)
    _check_target(target, source)
    if source.is_file() and is_torchscript(source):
        content: dict[str, Any] = dict(state_dict=read_torchscript(source))
    else:
        content = read_checkpoint(source)
    weights, others = _weights(content, source)
    try:
        converted, report = convert_weights(
            weights, source.name, source_format, **options
        )
        info = _dataset_meta(content, converted, classes)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from None
    report.left_out.update(others)
    origin = dict(
        file=source.name, sha256=sha256_file(source), format=report.format
    )
    meta = dict(converted_from=origin, uniemox_mm=__version__)
    if info:
        meta['dataset_meta'] = info
    saved = {key: _own(value) for key, value in converted.items()}
    with atomic_file(target, 'wb') as file:
        torch.save(dict(meta=meta, state_dict=saved), file)
    with atomic_file(target.with_name(f'{target.name}.report.txt')) as file:
        file.write('\n'.join(report.lines()) + '\n')
    return report


def _check_target(target: Path, source: Path) -> None:
    check_target(target)
    if is_same_file(target, source):
        raise ValueError(f'{target}: expected the name of a new file')
    if target.suffix == SAFETENSORS:
        raise ValueError(
            f"{target}: is written in torch's format; expected a name such "
            f'as {target.stem}.pth (export.py writes safetensors)'
        )


def _own(value: Tensor) -> Tensor:
    """Cut a tensor out of a larger one, which would be saved too."""
    size = value.numel() * value.element_size()
    return value.clone() if value.untyped_storage().nbytes() > size else value


def _weights(
    content: Mapping[str, Any], source: Path
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the model's weights, and what else the file has."""
    weights = weights_of(content, source, _ENTRIES)
    others = {
        f'[{printable(key)}]': 'beside the weights'
        for key, value in content.items()
        if weights is not content and value is not weights and key != 'meta'
    }
    if all(key.startswith(_WRAPPER) for key in weights):
        weights = {k.removeprefix(_WRAPPER): v for k, v in weights.items()}
    return weights, others


def _dataset_meta(
    content: Mapping[str, Any],
    converted: Mapping[str, Tensor],
    classes: Sequence[str] | None,
) -> dict[str, Any]:
    """Return what is known of the classes."""
    if classes is None:
        meta = content.get('meta')
        known = meta.get('dataset_meta') if isinstance(meta, dict) else None
        return dict(known) if isinstance(known, dict) else {}
    heads = (converted.get(f'{head}.weight') for head in HEADS)
    count = next((len(head) for head in heads if head is not None), 0)
    if count != len(classes) or len(set(classes)) != count:
        raise ValueError(
            f'there are {len(set(classes))} names of classes, but the head '
            f'has {count} outputs'
        )
    return dict(classes=tuple(classes))
