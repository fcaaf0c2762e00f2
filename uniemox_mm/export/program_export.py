"""A classifier as a program that runs without this package."""

import io
from importlib import import_module
from pathlib import Path

import torch
from mmpretrain.models import BaseClassifier
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from .description import beside, describe, write_described
from .trained_model import TrainedModel

_LIMIT = 2**31  # bytes of a protobuf, which an ONNX file is
_BATCH = {'images': {0: Dim('batch', min=1)}}


class Logits(nn.Module):
    """A classifier from normalised pixels to logits.

    Args:
        classifier (BaseClassifier): Of MMPretrain.
    """

    def __init__(self, classifier: BaseClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Normalised pixels (N, 3, H, W) -> logits (N, classes)."""
        return self.classifier(images, mode='tensor')


def export_onnx(trained: TrainedModel, target: Path) -> list[Path]:
    """Writes ONNX of a classifier, for a batch of any size.

    Args:
        trained (TrainedModel): What to export.
        target (Path): The file; JSON that says what it takes goes beside it.

    Returns:
        list[Path]: What was written.

    Raises:
        ImportError: The packages of the extra ``export`` are not there.
        ValueError: It is no classifier, is too large for one file, or
            ``target`` does not end in ``.onnx``.
    """
    _check_suffix(target, '.onnx')
    for package in ('onnx', 'onnxscript'):
        _need(package)
    program = trace(trained)
    size = sum(v.numel() * v.element_size() for v in trained.weights.values())
    if size > 0.95 * _LIMIT:
        raise ValueError(
            f'{trained.path}: {size / 2**30:.1f} GiB of weights do not fit '
            'into one file of ONNX; use --to torch-export'
        )
    converted = torch.onnx.export(
        program,
        input_names=['images'],
        output_names=['logits'],
        dynamic_shapes=_BATCH,  # names the size
        dynamo=True,
        verbose=False,
    )
    assert converted is not None  # it is only without dynamo
    content = converted.model_proto.SerializeToString()
    return _write(trained, target, content, 'onnx')


def export_program(trained: TrainedModel, target: Path) -> list[Path]:
    """Writes what ``torch.export.load`` reads, for a batch of any size.

    Args:
        trained (TrainedModel): What to export.
        target (Path): The file; JSON that says what it takes goes beside it.

    Returns:
        list[Path]: What was written.

    Raises:
        ValueError: It is no classifier, or ``target`` does not end in
            ``.pt2``.
    """
    _check_suffix(target, '.pt2')
    buffer = io.BytesIO()
    torch.export.save(trace(trained), buffer)
    return _write(trained, target, buffer.getvalue(), 'torch-export')


def trace(trained: TrainedModel) -> ExportedProgram:
    """The classifier's graph, from ``images`` to logits.

    Raises:
        ValueError: It is no classifier.
    """
    if trained.classes is None:
        raise ValueError(
            f'{trained.path}: is of pretraining and has no logits; export it '
            'to safetensors or timm, or a classifier that was trained with it'
        )
    size = describe(trained, '')['preprocessing']['center_crop']
    # Batches of one would make it a graph for one image.
    images = torch.zeros(2, 3, size, size)
    with torch.no_grad():
        program = torch.export.export(
            Logits(trained.model).eval(), (images,), dynamic_shapes=_BATCH
        )
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, 'graph', None), 'nodes', ()):
            node.meta.pop('stack_trace', None)  # paths of this machine
    return program


def _write(
    trained: TrainedModel, target: Path, content: bytes, form: str
) -> list[Path]:
    size = describe(trained, form)['preprocessing']['center_crop']
    described = dict(
        describe(trained, form),
        input=dict(name='images', shape=['batch', 3, size, size]),
        output=dict(
            name='logits', shape=['batch', len(trained.classes or ())]
        ),
    )
    return write_described(trained, beside(target), content, described)


def _check_suffix(target: Path, suffix: str) -> None:
    if target.suffix != suffix:
        raise ValueError(f'{target}: expected a name that ends in {suffix}')


def _need(package: str) -> None:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ImportError(
            f'exporting to ONNX needs {package}, which is not installed: '
            '`pip install "uniemox_mm[export]"` has it'
        ) from None
