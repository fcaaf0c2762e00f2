"""The formats that weights come in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from .names import CLIP, DECODER, ENCODER, HEAD

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
    """

    title: str
    names: Mapping[str, str] | None
    left_out: Mapping[str, str] = field(default_factory=dict)


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
            'visual.ln_pre.*': 'a norm before the first block, which this '
            'encoder does not have',
            'visual.proj': 'the projection into the space of the texts',
            'transformer.*': _TEXT_TOWER,
            'token_embedding.*': _TEXT_TOWER,
            'positional_embedding': _TEXT_TOWER,
            'ln_final.*': _TEXT_TOWER,
            'text_projection': _TEXT_TOWER,
            'attn_mask': _TEXT_TOWER,
            'logit_*': 'the temperature of the contrastive loss',
        },
    ),
}
# With fc_norm the classifier takes the mean of the patches, which goes past
# the encoder's own last norm; the authors' checkpoints keep it all the same.
SUPERSEDED = {'norm.*': 'the mean of the patches goes through fc_norm instead'}


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
