"""MAE in plain PyTorch, with the names of its authors' checkpoints."""

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        count, tokens, width = x.shape
        q, k, v = (
            part.reshape(count, tokens, self.heads, -1).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        weights = (q @ k.mT / (width // self.heads) ** 0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * (1 + torch.erf(x / 2**0.5)) / 2)  # GELU


class Block(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, hidden)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Patches(nn.Module):
    def __init__(self, patch, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)


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
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, tokens, width))
        self.patch_embed = Patches(patch, width)
        self.blocks = nn.ModuleList(
            Block(width, heads, hidden) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, inner)
        self.mask_token = nn.Parameter(torch.empty(1, 1, inner))
        self.decoder_pos_embed = nn.Parameter(torch.empty(1, tokens, inner))
        self.decoder_blocks = nn.ModuleList(
            Block(inner, inner_heads, 4 * inner) for _ in range(inner_depth)
        )
        self.decoder_norm = nn.LayerNorm(inner, eps=1e-6)
        self.decoder_pred = nn.Linear(inner, 3 * patch**2)

    def forward(self, images, kept):
        """Pixels of all patches (N, L, 3 P^2) from those ``kept``, (N, K).

        Every token is put where it belongs, without shuffling.
        """
        patches = self.patch_embed.proj(images).flatten(2).mT  # (N, L, C)
        patches = patches + self.pos_embed[:, 1:]
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
