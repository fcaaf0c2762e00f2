"""Weights of other projects, by MMPretrain's names."""

import dataclasses
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from .checks import check_weights
from .conversion_report import ConversionReport
from .formats import FORMATS, SUPERSEDED, Format, recognise, with_pre_norm
from .names import rename
from .vit_sizes import PATCHES, ViTSizes, read_sizes

_BIAS = PATCHES + 'bias'
_POSITIONS = ('backbone.pos_embed', 'neck.decoder_pos_embed')


def convert_weights(
    weights: Mapping[str, Tensor],
    source: str = 'weights',
    form: str = 'auto',
    img_size: int | None = None,
    patch_size: int | None = None,
    leave_out: Sequence[str] = (),
    allow_missing: Sequence[str] = (),
    pre_norm: bool = False,
) -> tuple[dict[str, Tensor], ConversionReport]:
    """Renames the weights of a ViT, and accounts for every one.

    Args:
        weights (Mapping[str, Tensor]): By their project's names.
        source (str): What to call them in the report.
        form (str): A key of :data:`FORMATS`, or 'auto' to go by the names.
        img_size (int, optional): Pixels of a side of the image that they are
            for; position embeddings are interpolated (bicubic) where it
            differs. Defaults to that of the weights.
        patch_size (int, optional): The same of a patch, which must agree.
        leave_out (Sequence[str]): Patterns (as of ``fnmatch``) of names, as
            in ``weights``, of what is not to be taken.
        allow_missing (Sequence[str]): Patterns of MMPretrain's names of what
            may be missing.
        pre_norm (bool): Whether to keep CLIP's norm before the first block,
            for a VisionTransformer with ``pre_norm=True``. Defaults to
            False.

    Returns:
        tuple[dict[str, Tensor], ConversionReport]: The weights by
        MMPretrain's names, and what became of each.

    Raises:
        ValueError: They are of no known format, of another architecture, not
            whole, not finite, or do not agree with each other or with the
            sizes; the message lists the keys.
    """
    if form == 'auto':
        form = recognise(weights)
    known = with_pre_norm(form) if pre_norm else FORMATS[form]
    left_out = _left_out(weights, known, leave_out)
    taken = {k: v for k, v in weights.items() if k not in left_out}
    if 'fc_norm.weight' in taken:
        superseded = _matching(taken, SUPERSEDED)
        left_out |= superseded
        taken = {k: v for k, v in taken.items() if k not in superseded}
    mapped, unexpected = _map(taken, known)
    if not mapped:
        raise ValueError(
            f'no key has one of {known.title} names; there are '
            f'{", ".join(sorted(weights)[:5])}, ...'
        )
    found = {ours: taken[theirs] for theirs, ours in mapped.items()}
    changed = _reshape_clip(found, pre_norm) if form == 'clip' else {}
    sizes = read_sizes(found)
    missing = check_weights(found, sizes, unexpected, allow_missing, form)
    if patch_size not in (None, sizes.patch):
        raise ValueError(
            f'its patches are of {sizes.patch} pixels, not {patch_size}; '
            'patches cannot be resized'
        )
    if img_size is not None:
        sizes, resized = _resize(found, sizes, img_size)
        changed |= resized
    report = ConversionReport(
        source,
        form,
        str(sizes),
        mapped,
        changed,
        left_out,
        missing,
        dict(known.settings),
    )
    return found, report


def _left_out(
    weights: Mapping[str, Tensor], known: Format, named: Sequence[str]
) -> dict[str, str]:
    for pattern in named:
        if not any(fnmatchcase(key, pattern) for key in weights):
            raise ValueError(f'--leave-out {pattern}: there is no such key')
    by_name = dict.fromkeys(named, 'named by --leave-out')
    return _matching(weights, {**known.left_out, **by_name})


def _matching(
    keys: Mapping[str, Tensor], patterns: Mapping[str, str]
) -> dict[str, str]:
    """Key -> what its pattern stands for."""
    return {
        key: why
        for key in keys
        for pattern, why in patterns.items()
        if fnmatchcase(key, pattern)
    }


def _map(
    taken: Mapping[str, Tensor], known: Format
) -> tuple[dict[str, str], list[str]]:
    """Theirs -> ours, and theirs that have no name here."""
    if known.names is None:
        return {key: key for key in taken}, []
    names = {key: rename(key, known.names) for key in taken}
    mapped = {theirs: ours for theirs, ours in names.items() if ours}
    return mapped, [key for key in names if key not in mapped]


def _reshape_clip(found: dict[str, Tensor], pre_norm: bool) -> dict[str, str]:
    """Gives CLIP's embeddings MMPretrain's shapes, and its patches a bias.

    With ``pre_norm`` MMPretrain's have none either.
    """
    changed = {}
    for key, dimensions in (('cls_token', 1), ('pos_embed', 2)):
        value = found.get(f'backbone.{key}')
        if value is not None and value.dim() == dimensions:
            shape = (1,) * (3 - dimensions) + tuple(value.shape)
            found[f'backbone.{key}'] = value.reshape(shape)
            changed[f'backbone.{key}'] = f'of shape {shape}'
    patches = found.get(PATCHES + 'weight')
    if patches is not None and not pre_norm:
        found[_BIAS] = patches.new_zeros(patches.shape[0])
        changed[_BIAS] = "zeros, since CLIP's patches have no bias"
    return changed


def _resize(
    found: dict[str, Tensor], sizes: ViTSizes, img_size: int
) -> tuple[ViTSizes, dict[str, str]]:
    grid = img_size // sizes.patch
    if grid < 1 or grid * sizes.patch != img_size:
        raise ValueError(
            f'images of {img_size} pixels are no whole number of patches of '
            f'{sizes.patch}'
        )
    changed = {}
    for key in _POSITIONS if grid != sizes.grid else ():
        if key in found:
            found[key] = resize_pos_embed(
                found[key], (sizes.grid,) * 2, (grid,) * 2
            )
            changed[key] = (
                f'interpolated from {sizes.grid} x {sizes.grid} to {grid} x '
                f'{grid} patches'
            )
    return dataclasses.replace(sizes, grid=grid), changed
