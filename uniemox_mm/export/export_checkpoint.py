"""A checkpoint of ours in a format that others read."""

from collections.abc import Callable, Sequence
from pathlib import Path

from uniemox_mm.utils.check_target import check_target, is_same_file

from .program_export import export_onnx, export_program
from .safetensors_export import export_safetensors
from .timm_export import TIMM_FILES, export_timm
from .trained_model import TrainedModel, read_trained

EXPORTS: dict[str, Callable[[TrainedModel, Path], list[Path]]] = {
    'safetensors': export_safetensors,
    'timm': export_timm,
    'onnx': export_onnx,
    'torch-export': export_program,
}


def export_checkpoint(
    checkpoint: str | Path,
    target: str | Path,
    form: str,
    config: str | Path | None = None,
    classes: Sequence[str] | None = None,
) -> list[Path]:
    """Exports a checkpoint.

    Args:
        checkpoint (str | Path): A checkpoint, or a work dir.
        target (str | Path): The file, or timm's folder, to write.
        form (str): A key of :data:`EXPORTS`.
        config (str | Path, optional): What it was trained with. Defaults to
            the only config in its folder.
        classes (Sequence[str], optional): Names of the classes, where
            neither the checkpoint nor the config has them.

    Returns:
        list[Path]: What was written.

    Raises:
        FileNotFoundError: There is no checkpoint or config.
        ImportError: A package is missing; the message names it.
        ValueError: It cannot be exported so; the message says why.
    """
    target = Path(target)
    check_target(target, folder=form == 'timm')
    trained = read_trained(checkpoint, config, classes)
    written = target / TIMM_FILES[0] if form == 'timm' else target
    if is_same_file(trained.path, written):
        raise ValueError(
            f'{trained.path}: is what is to be exported; expected another name'
        )
    return EXPORTS[form](trained, target)
