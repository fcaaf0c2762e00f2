"""Which layer of a classifier to look at, and how it lies on the image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn


@dataclass(frozen=True)
class CamLayer:
    """A layer whose output lies on the image.

    Attributes:
        name (str): Its place in the model.
        module (nn.Module): The layer.
        to_map (Callable): Its output -> (N, C, h, w).
    """

    name: str
    module: nn.Module
    to_map: Callable[[Tensor], Tensor]


def choose_layer(
    model: BaseModel, inputs: Tensor, name: str | None = None
) -> CamLayer:
    """The last layer that still knows where things are.

    Of a vision transformer this is the first norm of the last block, before
    the last attention. After the block a classifier of the cls token reads
    nothing else, so that the gradients of all patches are zero. One of the
    mean of the patches could be looked at there, too; which of the two is
    better was not the same on all pictures (docs/benchmarks.md). Of all other
    networks it is the last part of the backbone whose output is a map, or a
    square of tokens.

    Args:
        model (BaseModel): A classifier of MMPretrain.
        inputs (Tensor): Normalised pixels, (N, 3, H, W).
        name (str, optional): Another layer, such as 'backbone.layer3'.

    Returns:
        CamLayer: The layer.

    Raises:
        ValueError: There is no such layer, or its output is no map.
    """
    backbone = model.backbone
    layers = getattr(backbone, 'layers', None)
    if name is None and layers and hasattr(layers[-1], 'ln1'):
        name = f'backbone.layers.{len(layers) - 1}.ln1'
    names = dict(model.named_modules())
    if name is not None and name not in names:
        known = [key for key in names if key.count('.') == 1]
        raise ValueError(
            f'the model has no layer {name!r}; it has {", ".join(known)} and '
            'what is inside of these'
        )
    extra = getattr(backbone, 'num_extra_tokens', 0)
    maps = _outputs_with_place(model, inputs, extra)
    if name is None:
        name = next(
            (k for k in reversed(maps) if k.startswith('backbone.')), ''
        )
    if name not in maps:
        raise ValueError(
            f'the output of {name or "the backbone"} does not lie on the '
            'image: expected a map (N, C, h, w) with h and w over 1, or '
            'tokens (N, h * w, C) beside '
            f'{extra} others; layers that do: {", ".join(list(maps)[-5:])}'
        )
    grid = maps[name]
    return CamLayer(
        name, names[name], lambda output: to_map(output, grid, extra)
    )


def to_map(output: Tensor, grid: tuple[int, int], extra: int) -> Tensor:
    """Puts tokens back where their patches were.

    Args:
        output (Tensor): Tokens (N, extra + h * w, C), row by row as ViT cuts
            patches; or maps (N, C, h, w), which stay.
        grid (tuple[int, int]): h and w.
        extra (int): Tokens in front that are no patches, such as cls.

    Returns:
        Tensor: (N, C, h, w).
    """
    if output.ndim == 4:
        return output
    patches = output[:, output.shape[1] - grid[0] * grid[1] :]
    return patches.transpose(1, 2).unflatten(2, grid)


@torch.no_grad()
def _outputs_with_place(
    model: BaseModel, inputs: Tensor, extra: int
) -> dict[str, tuple[int, int]]:
    """Name -> (h, w) of the parts whose output lies on the image, as run."""
    found: dict[str, tuple[int, int]] = {}
    ratio = inputs.shape[2] / inputs.shape[3]

    def look(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            found.pop(name, None)  # the last run of a shared part counts
            if isinstance(output, Tensor) and output.is_floating_point():
                grid = _grid(output, extra, ratio)
                if grid is not None:
                    found[name] = grid

        return hook

    hooks = [
        module.register_forward_hook(look(name))
        for name, module in model.named_modules()
        if name
    ]
    try:
        model(inputs[:1])
    finally:
        for handle in hooks:
            handle.remove()
    return found


def _grid(output: Tensor, extra: int, ratio: float) -> tuple[int, int] | None:
    if output.ndim == 4:
        height, width = output.shape[2:]
        return (height, width) if min(height, width) > 1 else None
    if output.ndim != 3:
        return None
    for tokens in (output.shape[1] - extra, output.shape[1]):
        height = round((max(tokens, 0) * ratio) ** 0.5)
        if height > 1 and tokens % height == 0:
            width = tokens // height
            if width > 1 and abs(height / width - ratio) < 1e-6:
                return height, width
    return None
