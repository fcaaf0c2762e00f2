"""The sizes of a ViT, read from its weights, and the shapes that follow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

_BLOCKS = {'encoder': 'backbone.layers.', 'decoder': 'neck.decoder_blocks.'}
PATCHES = 'backbone.patch_embed.projection.'


@dataclass(frozen=True)
class ViTSizes:
    """The sizes of an encoder and, where there is one, of its decoder.

    Attributes:
        width (int): Channels of the encoder.
        depth (int): Its blocks.
        hidden (int): Channels inside of its feed-forward networks.
        patch (int): Pixels of a side of a patch.
        grid (int): Patches of a side of the image.
        channels (int): Of the image.
        decoder (tuple[int, int, int], optional): Width, depth and hidden
            channels of MAE's decoder.
        classes (int, optional): Outputs of the head.
        pre_norm (bool): Whether there is a norm before the first block, as
            in CLIP; the patches may have no bias then.
        patch_bias (bool): Whether they have.
    """

    width: int
    depth: int
    hidden: int
    patch: int
    grid: int
    channels: int = 3
    decoder: tuple[int, int, int] | None = None
    classes: int | None = None
    pre_norm: bool = False
    patch_bias: bool = True

    def __str__(self) -> str:
        size = self.grid * self.patch
        text = (
            f'ViT of {self.depth} blocks, width {self.width}, patch '
            f'{self.patch}, image {size} x {size}'
        )
        if self.decoder:
            text += f', decoder of {self.decoder[1]} blocks'
        return text + (f', {self.classes} classes' if self.classes else '')

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of such a model, by MMPretrain's name.

        All that a checkpoint of this kind may have: ``backbone.ln1`` and
        ``ln2``, decoder and head only where a model has them.
        """
        tokens, width = 1 + self.grid**2, self.width
        patch = (width, self.channels, self.patch, self.patch)
        shapes: dict[str, tuple[int, ...]] = {
            'backbone.cls_token': (1, 1, width),
            'backbone.pos_embed': (1, tokens, width),
            PATCHES + 'weight': patch,
            PATCHES + 'bias': (width,),
            **_blocks('encoder', width, self.depth, self.hidden),
            **_norm('backbone.ln1', width),
            **_norm('backbone.ln2', width),
        }
        if self.pre_norm:
            shapes |= _norm('backbone.pre_norm', width)
        if not self.patch_bias:
            shapes.pop(PATCHES + 'bias')
        if self.decoder:
            inner, depth, hidden = self.decoder
            pixels = self.patch**2 * self.channels
            shapes |= {
                'neck.mask_token': (1, 1, inner),
                'neck.decoder_pos_embed': (1, tokens, inner),
                **_linear('neck.decoder_embed', inner, width),
                **_blocks('decoder', inner, depth, hidden),
                **_norm('neck.ln1', inner),
                **_linear('neck.decoder_pred', pixels, inner),
            }
        if self.classes:
            shapes |= _linear('head.fc', self.classes, width)
        return shapes


def read_sizes(weights: Mapping[str, Tensor]) -> ViTSizes:
    """Reads the sizes of a model from its weights.

    Args:
        weights (Mapping[str, Tensor]): By MMPretrain's names.

    Returns:
        ViTSizes: The sizes. What they do not agree with is found by
        comparing with :meth:`ViTSizes.shapes`.

    Raises:
        ValueError: This is no ViT with a class token and a square grid.
    """
    patches = _shape(weights, PATCHES + 'weight', 4)
    position = _shape(weights, 'backbone.pos_embed', 3)
    if patches[2] != patches[3]:
        raise ValueError(
            f'its patches are of {patches[2]} x {patches[3]} pixels; expected '
            'square ones'
        )
    grid = math.isqrt(max(0, position[1] - 1))
    if grid < 1 or 1 + grid**2 != position[1]:
        raise ValueError(
            f'its position embedding is of {position[1]} tokens; expected one '
            'for the class token and a square grid, such as 1 + 14 x 14 = 197'
        )
    decoder = None
    if any(key.startswith('neck.decoder_') for key in weights):
        inner = _shape(weights, 'neck.decoder_embed.weight', 2)[0]
        decoder = (inner, *_depth_and_hidden(weights, 'decoder'))
    head = 'head.fc.weight'
    pre_norm = any(key.startswith('backbone.pre_norm.') for key in weights)
    return ViTSizes(
        patches[0],
        *_depth_and_hidden(weights, 'encoder'),
        patch=patches[2],
        grid=grid,
        channels=patches[1],
        decoder=decoder,
        classes=_shape(weights, head, 2)[0] if head in weights else None,
        pre_norm=pre_norm,
        patch_bias=not pre_norm or PATCHES + 'bias' in weights,
    )


def _shape(
    weights: Mapping[str, Tensor], key: str, dimensions: int
) -> tuple[int, ...]:
    if key not in weights:
        raise ValueError(f'there is no {key}, so this is not a ViT')
    shape = tuple(weights[key].shape)
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(
            f'{key} is of shape {shape}; expected {dimensions} dimensions, '
            'none of them 0'
        )
    return shape


def _depth_and_hidden(
    weights: Mapping[str, Tensor], part: str
) -> tuple[int, int]:
    start = _BLOCKS[part]
    names = (
        key.removeprefix(start).split('.')[0]
        for key in weights
        if key.startswith(start)
    )
    numbers = {int(name) for name in names if name.isdecimal()}
    if not numbers:
        raise ValueError(f'there is no block {start}0, so this is not a ViT')
    depth = 1 + max(numbers)
    if depth > len(weights):
        raise ValueError(
            f'it has a block {start}{depth - 1}, but only {len(weights)} keys'
        )
    # Of any block, so that one that is missing is missed by its name.
    first = f'{start}{min(numbers)}.ffn.layers.0.0.weight'
    return depth, _shape(weights, first, 2)[0]


def _blocks(
    part: str, width: int, depth: int, hidden: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for start in (f'{_BLOCKS[part]}{number}.' for number in range(depth)):
        shapes |= {
            **_norm(f'{start}ln1', width),
            **_linear(f'{start}attn.qkv', 3 * width, width),
            **_linear(f'{start}attn.proj', width, width),
            **_norm(f'{start}ln2', width),
            **_linear(f'{start}ffn.layers.0.0', hidden, width),
            **_linear(f'{start}ffn.layers.1', width, hidden),
        }
    return shapes


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f'{name}.weight': (width,), f'{name}.bias': (width,)}


def _linear(name: str, out: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f'{name}.weight': (out, inputs), f'{name}.bias': (out,)}
