"""All weights of a checkpoint as safetensors."""

import json
from pathlib import Path

from safetensors.torch import save

from uniemox_mm.weights.read_checkpoint import SAFETENSORS

from .description import beside, describe, write_described
from .trained_model import TrainedModel


def export_safetensors(trained: TrainedModel, target: Path) -> list[Path]:
    """Writes every weight, and a JSON file that says what they are.

    Decoder, fusion and head are in it too, by MMPretrain's names, so that
    training can go on elsewhere. ``read_checkpoint`` and ``convert.py`` give
    the same weights back, bit by bit.

    Args:
        trained (TrainedModel): What to export.
        target (Path): The file; the JSON goes beside it.

    Returns:
        list[Path]: What was written.

    Raises:
        ValueError: ``target`` does not end in ``.safetensors``.
    """
    if target.suffix != SAFETENSORS:
        raise ValueError(
            f'{target}: expected a name that ends in .safetensors'
        )
    content = describe(trained, 'safetensors')
    # Views into one storage are several tensors there.
    weights = {k: v.contiguous().clone() for k, v in trained.weights.items()}
    meta: dict = dict(exported_from=content['source'])
    if trained.classes:
        meta['dataset_meta'] = dict(classes=trained.classes)
    saved = save(weights, dict(format='pt', uniemox_mm=json.dumps(meta)))
    return write_described(trained, beside(target), saved, content)
