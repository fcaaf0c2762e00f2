"""The formats that weights come in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from .names import CLIP, CLIP_PRE_NORM, DECODER, ENCODER, HEAD

_TEXT_TOWER = 'of the text tower'


@dataclass(frozen=True)
class Format:
    """How a project names the weights of a ViT.

    Attributes:
        title (str): What it is.
        names (Mapping[str, str], optional): Its names -> MMPretrain's, as in
            :mod:`names`. None for MMPretrain's own.
        left_out (Mapping[str, str]): Patterns of names (as of ``fnmatch``)
            that have no place here, and why.
        settings (Mapping[str, str]): Settings of a VisionTransformer that
            gives what the source gave, where they are not the usual ones,
            and why.
    """

    title: str
    names: Mapping[str, str] | None
    left_out: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


_PRE_NORM = {
    'visual.ln_pre.*': 'the norm before the first block, which --pre-norm '
    'keeps'
}
_NOT_PIXELS = "dBOT's decoder predicts features of its teacher, not pixels"
FORMATS = {
    'mae': Format("MAE's", {**ENCODER, **HEAD, **DECODER}),
    'u-emo': Format(
        "UniEmoX's, by its authors", {**ENCODER, **HEAD, **DECODER}
    ),
    'timm': Format("timm's", {**ENCODER, **HEAD}),
    'dbot': Format(
        "dBOT's",
        {**ENCODER, **HEAD},
        {'decoder_*': _NOT_PIXELS, 'mask_token': _NOT_PIXELS},
    ),
    'mmpretrain': Format("MMPretrain's", None),
    'clip': Format(
        "CLIP's",
        CLIP,
        {
            **_PRE_NORM,
            'visual.proj': 'the projection into the space of the texts',
            'transformer.*': _TEXT_TOWER,
            'token_embedding.*': _TEXT_TOWER,
            'positional_embedding': _TEXT_TOWER,
            'ln_final.*': _TEXT_TOWER,
            'text_projection': _TEXT_TOWER,
            'attn_mask': _TEXT_TOWER,
            'logit_*': 'the temperature of the contrastive loss',
        },
        {
            "norm_cfg=dict(type='LN', eps=1e-5)": "the eps of CLIP's norms",
            "layer_cfgs=dict(act_cfg=dict(type='mmpretrain.QuickGELU'))": (
                'if they were trained with QuickGELU, as those of OpenAI were'
            ),
        },
    ),
}
# With fc_norm the classifier takes the mean of the patches, which goes past
# the encoder's own last norm; the authors' checkpoints keep it all the same.
SUPERSEDED = {'norm.*': 'the mean of the patches goes through fc_norm instead'}


def with_pre_norm(form: str) -> Format:
    """CLIP with its norm before the first block.

    Args:
        form (str): A key of :data:`FORMATS`.

    Returns:
        Format: For a VisionTransformer with ``pre_norm=True``.

    Raises:
        ValueError: It is not CLIP's.
    """
    known = FORMATS[form]
    if form != 'clip':
        raise ValueError(
            f"--pre-norm is for CLIP's weights, and these are {known.title}"
        )
    reason = 'the norm before the first block, and no bias of the patches'
    return replace(
        known,
        names={**CLIP, **CLIP_PRE_NORM},
        left_out={
            pattern: why
            for pattern, why in known.left_out.items()
            if pattern not in _PRE_NORM
        },
        settings={**known.settings, 'pre_norm=True': reason},
    )


def recognise(weights: Mapping[str, Tensor]) -> str:
    """The format of weights, by their names.

    MAE's, UniEmoX's and timm's names are the same. What tells them apart is
    in which parts there are, and nothing but the name depends on it.

    Args:
        weights (Mapping[str, Tensor]): Name -> tensor.

    Returns:
        str: A key of :data:`FORMATS`.

    Raises:
        ValueError: It is none of them.
    """
    parts = {key.split('.')[0] for key in weights}
    if 'backbone' in parts:
        return 'mmpretrain'
    if 'visual.class_embedding' in weights:
        return 'clip'
    if 'decoder_predp' in parts:
        return 'dbot'
    if {'patch_embed', 'blocks'} <= parts:
        if {'norm', 'fc_norm', 'head'} <= parts:
            return 'u-emo'
        return 'timm' if 'head' in parts else 'mae'
    raise ValueError(
        'these are not the names of a ViT of '
        f'{", ".join(FORMATS)}, but {", ".join(sorted(weights)[:5])}, ...'
    )
