"""The names of one weight in MMPretrain, in MAE and timm, and in CLIP.

``#`` stands for the number of a block.
"""

import re
from collections.abc import Mapping

_NUMBER = re.compile(r'((?:^|\.)(?:\w*blocks|backbone\.layers)\.)(\d+)\.')
KINDS = ('weight', 'bias')
_BLOCK = {
    'norm1': 'ln1',
    'attn.qkv': 'attn.qkv',
    'attn.proj': 'attn.proj',
    'norm2': 'ln2',
    'mlp.fc1': 'ffn.layers.0.0',
    'mlp.fc2': 'ffn.layers.1',
}


def _kinds(modules: Mapping[str, str]) -> dict[str, str]:
    return {
        f'{theirs}.{kind}': f'{ours}.{kind}'
        for theirs, ours in modules.items()
        for kind in KINDS
    }


def _blocks(theirs: str, ours: str) -> dict[str, str]:
    return {f'{theirs}.#.{t}': f'{ours}.#.{o}' for t, o in _BLOCK.items()}


# MAE's, which UniEmoX, dBOT and timm share -> MMPretrain's.
ENCODER = {
    'cls_token': 'backbone.cls_token',
    'pos_embed': 'backbone.pos_embed',
    **_kinds(
        {
            'patch_embed.proj': 'backbone.patch_embed.projection',
            **_blocks('blocks', 'backbone.layers'),
            'norm': 'backbone.ln1',
            'fc_norm': 'backbone.ln2',
        }
    ),
}
HEAD = _kinds({'head': 'head.fc'})
# The last layer of MMPretrain's heads: LinearClsHead, and the ViT's own.
HEADS = ('head.fc', 'head.layers.head')
DECODER = {
    'mask_token': 'neck.mask_token',
    'decoder_pos_embed': 'neck.decoder_pos_embed',
    **_kinds(
        {
            'decoder_embed': 'neck.decoder_embed',
            **_blocks('decoder_blocks', 'neck.decoder_blocks'),
            'decoder_norm': 'neck.ln1',
            'decoder_pred': 'neck.decoder_pred',
        }
    ),
}
# The visual tower of OpenAI's CLIP and of open_clip -> MMPretrain's.
CLIP = {
    'visual.class_embedding': 'backbone.cls_token',
    'visual.positional_embedding': 'backbone.pos_embed',
    'visual.conv1.weight': 'backbone.patch_embed.projection.weight',
    **{
        f'visual.transformer.resblocks.#.{theirs}': f'backbone.layers.#.{ours}'
        for theirs, ours in {
            'attn.in_proj_weight': 'attn.qkv.weight',
            'attn.in_proj_bias': 'attn.qkv.bias',
            **_kinds(
                {
                    'ln_1': 'ln1',
                    'attn.out_proj': 'attn.proj',
                    'ln_2': 'ln2',
                    'mlp.c_fc': 'ffn.layers.0.0',
                    'mlp.c_proj': 'ffn.layers.1',
                }
            ),
        }.items()
    },
    **_kinds({'visual.ln_post': 'backbone.ln1'}),
}
# Only ViTs with ``pre_norm`` have it here.
CLIP_PRE_NORM = _kinds({'visual.ln_pre': 'backbone.pre_norm'})


def rename(key: str, names: Mapping[str, str]) -> str | None:
    """The other name of a weight, or None where there is none.

    Args:
        key (str): A name, such as ``blocks.3.norm1.bias``.
        names (Mapping[str, str]): One of the tables above, or one reversed.

    Returns:
        str | None: Such as ``backbone.layers.3.ln1.bias``.

    Example:
        >>> from uniemox_mm.weights.names import ENCODER, rename
        >>> rename('blocks.3.norm1.bias', ENCODER)
        'backbone.layers.3.ln1.bias'
    """
    found = _NUMBER.search(key)
    if found is None:
        return names.get(key)
    pattern = key[: found.start(2)] + '#' + key[found.end(2) :]
    other = names.get(pattern)
    return other and other.replace('#', found[2])
