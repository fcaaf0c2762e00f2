"""MAE of timm's blocks, with the names of its authors' checkpoints."""

from functools import partial

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import nn


class PlainMAE(nn.Module):
    """Sizes are those of ``tests.helpers.EMO_MAE``."""

    def __init__(
        self,
        grid=4,
        patch=8,
        width=32,
        depth=2,
        heads=4,
        hidden=64,
        inner=48,
        inner_depth=2,
        inner_heads=4,
    ):
        super().__init__()
        tokens = 1 + grid**2
        norm = partial(nn.LayerNorm, eps=1e-6)
        block = partial(Block, qkv_bias=True, norm_layer=norm)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, tokens, width))
        self.patch_embed = PatchEmbed(grid * patch, patch, 3, width)
        self.blocks = nn.ModuleList(
            block(width, heads, hidden / width) for _ in range(depth)
        )
        self.norm = norm(width)
        self.decoder_embed = nn.Linear(width, inner)
        self.mask_token = nn.Parameter(torch.empty(1, 1, inner))
        self.decoder_pos_embed = nn.Parameter(torch.empty(1, tokens, inner))
        self.decoder_blocks = nn.ModuleList(
            block(inner, inner_heads) for _ in range(inner_depth)
        )
        self.decoder_norm = norm(inner)
        self.decoder_pred = nn.Linear(inner, 3 * patch**2)

    def forward(self, images, kept):
        """Pixels of all patches (N, L, 3 P^2) from those ``kept``, (N, K).

        Every token is put where it belongs, without shuffling.
        """
        patches = self.patch_embed(images) + self.pos_embed[:, 1:]  # (N, L, C)
        rows = torch.arange(len(images)).unsqueeze(1)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(
            len(images), -1, -1
        )
        x = torch.cat([first, patches[rows, kept]], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.decoder_embed(self.norm(x))
        whole = self.mask_token.repeat(len(images), patches.shape[1], 1)
        whole[rows, kept] = x[:, 1:]
        x = torch.cat([x[:, :1], whole], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))[:, 1:]


def random_mae(**sizes):
    """One with random weights everywhere, in norms and biases too."""
    model = PlainMAE(**sizes).eval().requires_grad_(False)
    for weights in model.parameters():
        weights.normal_(std=0.2)
    return model


def encoder_of(weights):
    """An encoder-only checkpoint of a whole one."""
    return {
        key: value
        for key, value in weights.items()
        if not key.startswith(('decoder_', 'mask_token'))
    }


def random_encoder():
    """The state dict of an encoder-only checkpoint."""
    return encoder_of(random_mae().state_dict())


def finetuned(classes=8):
    """As MAE's authors leave it: ``fc_norm`` and ``head``, no ``norm``."""
    weights = random_encoder()
    for kind in ('weight', 'bias'):
        weights[f'fc_norm.{kind}'] = weights.pop(f'norm.{kind}')
    weights['head.weight'] = torch.randn(classes, 32)
    weights['head.bias'] = torch.randn(classes)
    return weights
