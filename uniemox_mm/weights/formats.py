"""The formats that weights come in: their names, and MMPretrain's."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# The last layer of MMPretrain's heads: LinearClsHead, and the ViT's own.
HEADS = ('head.fc', 'head.layers.head')

# Tables of names, theirs -> MMPretrain's, with # for the number of a block
# and * for weight or bias. MAE's, which UniEmoX, dBOT and timm share:
_BLOCK = {
    'norm1.*': 'ln1.*',
    'attn.qkv.*': 'attn.qkv.*',
    'attn.proj.*': 'attn.proj.*',
    'norm2.*': 'ln2.*',
    'mlp.fc1.*': 'ffn.layers.0.0.*',
    'mlp.fc2.*': 'ffn.layers.1.*',
}
ENCODER = {
    'cls_token': 'backbone.cls_token',
    'pos_embed': 'backbone.pos_embed',
    'patch_embed.proj.*': 'backbone.patch_embed.projection.*',
    **{f'blocks.#.{k}': f'backbone.layers.#.{v}' for k, v in _BLOCK.items()},
    'norm.*': 'backbone.ln1.*',
    'fc_norm.*': 'backbone.ln2.*',
}
HEAD = {'head.*': 'head.fc.*'}
DECODER = {
    'mask_token': 'neck.mask_token',
    'decoder_pos_embed': 'neck.decoder_pos_embed',
    'decoder_embed.*': 'neck.decoder_embed.*',
    **{
        f'decoder_blocks.#.{k}': f'neck.decoder_blocks.#.{v}'
        for k, v in _BLOCK.items()
    },
    'decoder_norm.*': 'neck.ln1.*',
    'decoder_pred.*': 'neck.decoder_pred.*',
}
# The visual tower of OpenAI's CLIP and of open_clip. timm's
# checkpoint_filter_fn has these names too, but takes keys that it does not
# know along, resizes patches without a word, and does not tell which key
# became which.
_CLIP_BLOCK = {
    'ln_1.*': 'ln1.*',
    'attn.in_proj_weight': 'attn.qkv.weight',
    'attn.in_proj_bias': 'attn.qkv.bias',
    'attn.out_proj.*': 'attn.proj.*',
    'ln_2.*': 'ln2.*',
    'mlp.c_fc.*': 'ffn.layers.0.0.*',
    'mlp.c_proj.*': 'ffn.layers.1.*',
}
CLIP = {
    'visual.class_embedding': 'backbone.cls_token',
    'visual.positional_embedding': 'backbone.pos_embed',
    'visual.conv1.weight': 'backbone.patch_embed.projection.weight',
    **{
        f'visual.transformer.resblocks.#.{k}': f'backbone.layers.#.{v}'
        for k, v in _CLIP_BLOCK.items()
    },
    'visual.ln_post.*': 'backbone.ln1.*',
}
_NUMBER = re.compile(r'(?<=blocks\.|layers\.)\d+(?=\.)')
_KIND = re.compile(r'(?<=\.)(weight|bias)$')


def rename(key: str, names: Mapping[str, str]) -> str | None:
    """Return the other name of a weight, or None where there is none.

    Args:
        key (str): A name, such as ``blocks.3.norm1.bias``.
        names (Mapping[str, str]): One of the tables above, or one reversed.

    Returns:
        str | None: Such as ``backbone.layers.3.ln1.bias``.

    Example:
        >>> from uniemox_mm.weights.formats import ENCODER, rename
        >>> rename('blocks.3.norm1.bias', ENCODER)
        'backbone.layers.3.ln1.bias'
    """
    number, kind = _NUMBER.search(key), _KIND.search(key)
    pattern = _NUMBER.sub('#', key, count=1)
    other = names.get(pattern) or names.get(_KIND.sub('*', pattern))
    if other and number:
        other = other.replace('#', number[0])
    if other and kind:
        other = other.replace('*', kind[0])
    return other


@dataclass(frozen=True)
class Format:
    """The names of a project's ViT."""

    title: str  # whose names they are
    names: Mapping[str, str] | None  # -> MMPretrain's; None for its own
    # Patterns of names (as of fnmatch) that have no place here -> why.
    left_out: Mapping[str, str] = field(default_factory=dict)
    # Unusual settings of a VisionTransformer that gives the same -> why.
    settings: Mapping[str, str] = field(default_factory=dict)


_NOT_PIXELS = "dBOT's decoder predicts features of its teacher, not pixels"
_OF_CLIP = {
    'visual.proj': 'the projection into the space of the texts',
    'logit_*': 'the temperature of the contrastive loss',
    **dict.fromkeys(
        'transformer.* token_embedding.* positional_embedding ln_final.* '
        'text_projection attn_mask'.split(),
        'of the text tower',
    ),
}
_CLIP_SETTINGS = {
    "norm_cfg=dict(type='LN', eps=1e-5)": "the eps of CLIP's norms",
    "layer_cfgs=dict(act_cfg=dict(type='mmpretrain.QuickGELU'))": (
        'if they were trained with QuickGELU, as those of OpenAI were'
    ),
}
_TIMM = {**ENCODER, **HEAD}
_MAE = {**_TIMM, **DECODER}
FORMATS = {
    'mae': Format("MAE's", _MAE),
    'u-emo': Format("UniEmoX's, by its authors", _MAE),
    'timm': Format("timm's", _TIMM),
    'dbot': Format(
        "dBOT's",
        _TIMM,
        {'decoder_*': _NOT_PIXELS, 'mask_token': _NOT_PIXELS},
    ),
    'mmpretrain': Format("MMPretrain's", None),
    'clip': Format(
        "CLIP's",
        CLIP,
        {
            'visual.ln_pre.*': 'the norm before the first block, which '
            '--pre-norm keeps',
            **_OF_CLIP,
        },
        _CLIP_SETTINGS,
    ),
}
CLIP_WITH_PRE_NORM = Format(
    "CLIP's",
    {**CLIP, 'visual.ln_pre.*': 'backbone.pre_norm.*'},
    _OF_CLIP,
    {
        **_CLIP_SETTINGS,
        'pre_norm=True': 'the norm before the first block, and no bias of the '
        'patches',
    },
)
# With fc_norm the classifier takes the mean of the patches, which goes past
# the encoder's own last norm; the authors' checkpoints keep it all the same.
SUPERSEDED = {'norm.*': 'the mean of the patches goes through fc_norm instead'}


def recognise(keys: Iterable[str]) -> str:
    """Return the format of weights by their names.

    MAE's, UniEmoX's and timm's names are the same. What tells them apart is
    which parts there are, and nothing but the name depends on it.

    Raises:
        ValueError: It is none of :data:`FORMATS`.
    """
    keys = sorted(keys)
    parts = {key.split('.')[0] for key in keys}
    if 'backbone' in parts:
        return 'mmpretrain'
    if 'visual.class_embedding' in keys:
        return 'clip'
    if 'decoder_predp' in parts:
        return 'dbot'
    if {'patch_embed', 'blocks'} <= parts:
        if {'norm', 'fc_norm', 'head'} <= parts:
            return 'u-emo'
        return 'timm' if 'head' in parts else 'mae'
    raise ValueError(
        f'these are not the names of a ViT of {", ".join(FORMATS)}, but '
        f'{", ".join(keys[:5])}, ...'
    )
