"""Conversion of a classifier to ONNX or a program of torch.export."""

import io
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

_LIMIT = 2**31  # bytes of a protobuf, which an ONNX file is
_BATCH = {'images': {0: Dim('batch', min=1)}}


def to_onnx(
    model: BaseModel, description: dict[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """Convert a classifier to ONNX, for batches of any size.

    Raises:
        ImportError: The packages of the extra ``export`` are missing.
        ValueError: It is not a classifier, or too large for one file.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            f'exporting to ONNX needs {error.name}, which is not installed: '
            '`pip install "uniemox_mm[export]"` has it'
        ) from None
    program, described = _trace(model, description)
    size = sum(v.numel() * v.element_size() for v in model.parameters())
    if size > 0.95 * _LIMIT:
        raise ValueError(
            f'{size / 2**30:.1f} GiB of weights do not fit into one file of '
            'ONNX; use --to torch-export'
        )
    converted = torch.onnx.export(
        program,
        input_names=['images'],
        output_names=['logits'],
        dynamic_shapes=_BATCH,  # names the size
        dynamo=True,
        verbose=False,
    )
    assert converted is not None  # only without dynamo
    return converted.model_proto.SerializeToString(), described


def to_torch_export(
    model: BaseModel, description: dict[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """Convert a classifier for ``torch.export.load``, for any batch size.

    Raises:
        ValueError: It is not a classifier.
    """
    program, described = _trace(model, description)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue(), described


class _Logits(nn.Module):
    """A classifier whose input has the name that the description gives."""

    def __init__(self, classifier: BaseModel) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(images, mode='tensor')


def _trace(
    model: BaseModel, description: dict[str, Any]
) -> tuple[ExportedProgram, dict[str, Any]]:
    """Trace a classifier from pixels (N, 3, H, W) to logits (N, classes)."""
    classes = description['classes']
    if classes is None:
        raise ValueError(
            'a model of pretraining has no logits; export it to safetensors '
            'or timm, or export a classifier that was trained with it'
        )
    size = description['preprocessing']['center_crop']
    # A batch of one would fix the size of the batch in the graph.
    images = torch.zeros(2, 3, size, size)
    with torch.no_grad():
        program = torch.export.export(
            _Logits(model).eval(), (images,), dynamic_shapes=_BATCH
        )
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, 'graph', None), 'nodes', ()):
            node.meta.pop('stack_trace', None)  # paths of this machine
    return program, dict(
        description,
        input=dict(name='images', shape=['batch', 3, size, size]),
        output=dict(name='logits', shape=['batch', len(classes)]),
    )
