"""Export of a loaded model to a format that other projects read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.model import BaseModel
from safetensors.torch import save

from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.check_target import check_target, is_same_file

from .description import describe
from .to_onnx import to_onnx, to_torch_export
from .to_timm import to_timm


def export_model(
    model: BaseModel, target: str | Path, format: str
) -> list[Path]:
    """Write a model, and JSON that describes it, in another format.

    Args:
        model (BaseModel): A classifier, or a model of pretraining, as
            ``load_model`` returns it, with ``_config``, ``_dataset_meta`` and
            ``_checkpoint``, whose name and SHA-256 go into the JSON.
        target (str | Path): The file, or timm's folder, to write. The JSON
            goes beside the file, as ``<name>.json``.
        format (str): A key of :data:`EXPORT_FORMATS`.

    Returns:
        list[Path]: The files that were written.

    Raises:
        ImportError: A package is missing; the message names it.
        ValueError: The model cannot be exported to this format, or
            ``target`` not written; the message says why.
    """
    checkpoint = model._checkpoint
    check_export(checkpoint, target, format)
    _, convert = EXPORT_FORMATS[format]
    try:
        content, described = convert(model, describe(model, format))
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from None
    try:
        text = json.dumps(described, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{checkpoint}: JSON cannot hold a value of the config ({error}); '
            'name a config without it (--config)'
        ) from None
    weights, beside = _files(Path(target), format)
    with atomic_file(weights, 'wb') as file:
        file.write(content)
    with atomic_file(beside) as file:
        file.write(text + '\n')
    return [weights, beside]


def check_export(
    checkpoint: str | Path, target: str | Path, format: str
) -> None:
    """Refuse a target that cannot be written, before anything is loaded.

    See :func:`export_model` for arguments.

    Raises:
        ValueError: There is something else under this name, it has another
            suffix than the format, or it is the checkpoint itself.
    """
    target, (suffix, _) = Path(target), EXPORT_FORMATS[format]
    check_target(target, folder=format == 'timm')
    if suffix and target.suffix != suffix:
        raise ValueError(f'{target}: expected a name that ends in {suffix}')
    if is_same_file(Path(checkpoint), _files(target, format)[0]):
        raise ValueError(
            f'{checkpoint}: would be overwritten by its own export; choose '
            'another name'
        )


def to_safetensors(
    model: BaseModel, description: dict[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """Convert a model to safetensors, decoder, fusion and head too.

    ``read_checkpoint`` and ``convert.py`` give the same weights back, bit by
    bit.
    """
    weights = {
        key: value.contiguous().clone()  # several may share one storage
        for key, value in model.state_dict().items()
    }
    meta = dict(exported_from=description['source'])
    if description['classes']:
        meta['dataset_meta'] = dict(classes=description['classes'])
    content = save(weights, dict(format='pt', uniemox_mm=json.dumps(meta)))
    return content, description


Converter = Callable[[BaseModel, dict[str, Any]], tuple[bytes, dict[str, Any]]]
# Format -> suffix of its file, and a function that converts a model, given
# the description of the export, to the content of the file and of its JSON.
EXPORT_FORMATS: dict[str, tuple[str, Converter]] = {
    'safetensors': ('.safetensors', to_safetensors),
    'timm': ('', to_timm),  # a folder
    'onnx': ('.onnx', to_onnx),
    'torch-export': ('.pt2', to_torch_export),
}


def _files(target: Path, format: str) -> tuple[Path, Path]:
    """Return the file of the weights and that of the JSON."""
    if format == 'timm':
        return target / 'model.safetensors', target / 'config.json'
    return target, target.with_name(f'{target.name}.json')
