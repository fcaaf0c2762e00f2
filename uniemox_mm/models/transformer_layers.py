"""Compile the layers of a transformer, or recompute their activations."""

from collections.abc import Callable
from functools import partial

import torch
from mmcv.cnn.bricks import DropPath
from mmpretrain.models.backbones.vision_transformer import (
    TransformerEncoderLayer,
)
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def compile_layers(model: nn.Module, **options) -> int:
    """Compile every transformer layer of a model by itself, in place.

    All layers of a kind share one compiled graph, so compiling takes seconds
    whatever the depth, and in distributed training the gradients of a layer
    are sent while those of the next are computed, which one graph for the
    whole encoder would not allow. What lies between the layers is hardly any
    work. Shapes are static: another batch size is compiled once more. So is
    another drop path rate, which makes as many graphs as layers. A graph
    break is an error.

    Args:
        model (nn.Module): Any model with MMPretrain's transformer layers.
        **options: Further options of :func:`torch.compile`.

    Returns:
        int: Number of layers.

    Raises:
        ValueError: The model has no such layer.
    """
    layers = transformer_layers(model)
    _plain_numbers(layers)
    # PyTorch gives up at 8 graphs, fewer than there may be drop path rates.
    config = torch._dynamo.config
    config.cache_size_limit = max(config.cache_size_limit, 8 * len(layers))
    for layer in layers:
        layer.compile(**{'fullgraph': True, 'dynamic': False, **options})
    return len(layers)


def checkpoint_layers(model: nn.Module) -> int:
    """Make layers recompute their activations in the backward pass.

    Only the input of each layer is kept: at a third more computation the
    memory of a step is a fraction. (MMEngine's ``activation_checkpointing``
    uses the reentrant kind, which PyTorch is abandoning.)

    Args:
        model (nn.Module): Any model with MMPretrain's transformer layers.

    Returns:
        int: Number of layers.

    Raises:
        ValueError: The model has no such layer.
    """
    layers = transformer_layers(model)
    for layer in layers:
        layer.forward = partial(_checkpointed, layer.forward)
    return len(layers)


def transformer_layers(model: nn.Module) -> list[TransformerEncoderLayer]:
    """List MMPretrain's transformer layers in a model, at least one."""
    layers = [
        module
        for module in model.modules()
        if isinstance(module, TransformerEncoderLayer)
    ]
    if not layers:
        raise ValueError(
            f'{type(model).__name__} has no TransformerEncoderLayer of '
            'MMPretrain: its layers can be neither compiled nor checkpointed'
        )
    return layers


def _plain_numbers(layers: list[TransformerEncoderLayer]) -> None:
    """Convert MMPretrain's drop rates from NumPy's numbers to Python's.

    A graph would take them for tensors, and cannot branch by tensors.
    """
    for layer in layers:
        for module in layer.modules():
            if isinstance(module, DropPath):
                module.drop_prob = float(module.drop_prob)


def _checkpointed(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Checkpoint in a function of ours: the compiler skips PyTorch's."""
    return checkpoint(forward, x, use_reentrant=False)
