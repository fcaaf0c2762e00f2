"""The sizes of a ViT, read from its weights, and the shapes that follow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from mmpretrain.models import MAEPretrainDecoder, VisionTransformer
from torch import Size, Tensor, nn

PATCHES = 'backbone.patch_embed.projection.'


@dataclass(frozen=True)
class ViTSizes:
    """The sizes of an encoder and, where there is one, of its decoder."""

    width: int  # channels of the encoder
    depth: int  # its blocks
    hidden: int  # channels inside its feed-forward networks
    patch: int  # pixels of a side of a patch
    grid: int  # patches of a side of the image
    channels: int = 3  # of the image
    decoder: tuple[int, int, int] | None = None  # its width, depth, hidden
    classes: int | None = None  # outputs of the head
    pre_norm: bool = False  # a norm before the first block, as in CLIP
    patch_bias: bool = True  # which patches with pre_norm may lack

    def __str__(self) -> str:
        size = self.grid * self.patch
        text = (
            f'ViT of {self.depth} blocks, width {self.width}, patch '
            f'{self.patch}, image {size} x {size}'
        )
        if self.decoder:
            text += f', decoder of {self.decoder[1]} blocks'
        return text + (f', {self.classes} classes' if self.classes else '')

    def shapes(self) -> dict[str, Size]:
        """Return the shapes of all that such a checkpoint may have."""
        arch = dict(
            embed_dims=self.width,
            num_layers=self.depth,
            num_heads=1,  # which no shape depends on
            feedforward_channels=self.hidden,
        )
        parts: dict[str, nn.Module] = {}
        with torch.device('meta'):
            parts['backbone.'] = VisionTransformer(
                arch,
                self.grid * self.patch,
                self.patch,
                self.channels,
                out_type='avg_featmap',  # has ln2
                pre_norm=self.pre_norm,
                patch_cfg=dict(bias=self.patch_bias),
            )
            if self.decoder:
                inner, depth, hidden = self.decoder
                parts['neck.'] = MAEPretrainDecoder(
                    self.grid**2,
                    self.patch,
                    self.channels,
                    self.width,
                    inner,
                    depth,
                    decoder_num_heads=1,
                    # A half more, since it is multiplied and rounded down.
                    mlp_ratio=(hidden + 0.5) / inner,
                )
            if self.classes:
                parts['head.fc.'] = nn.Linear(self.width, self.classes)
        return {
            key: value.shape
            for prefix, part in parts.items()
            for key, value in part.state_dict(prefix=prefix).items()
        }


def read_sizes(weights: Mapping[str, Tensor]) -> ViTSizes:
    """Read the sizes of a ViT from its weights, by MMPretrain's names.

    Weights that do not agree with them differ from :meth:`ViTSizes.shapes`.

    Raises:
        ValueError: This is not a ViT with a class token and a square grid.
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
    decoder, head = None, 'head.fc.weight'
    if any(key.startswith('neck.decoder_') for key in weights):
        inner = _shape(weights, 'neck.decoder_embed.weight', 2)[0]
        decoder = (inner, *_blocks(weights, 'neck.decoder_blocks.'))
    pre_norm = any(key.startswith('backbone.pre_norm.') for key in weights)
    return ViTSizes(
        patches[0],
        *_blocks(weights, 'backbone.layers.'),
        patch=patches[2],
        grid=grid,
        channels=patches[1],
        decoder=decoder,
        classes=_shape(weights, head, 2)[0] if head in weights else None,
        pre_norm=pre_norm,
        patch_bias=not pre_norm or PATCHES + 'bias' in weights,
    )


def _shape(weights: Mapping[str, Tensor], key: str, dimensions: int) -> Size:
    if key not in weights:
        raise ValueError(f'there is no {key}, so this is not a ViT')
    shape = weights[key].shape
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(
            f'{key} is of shape {tuple(shape)}; expected {dimensions} '
            'dimensions, none of them 0'
        )
    return shape


def _blocks(weights: Mapping[str, Tensor], start: str) -> tuple[int, int]:
    """Return the number of blocks and their hidden channels."""
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
