"""Weights of other projects, by MMPretrain's names."""

import dataclasses
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from uniemox_mm.models.weight_files import describe_keys, reshaped_keys

from .formats import FORMATS, SUPERSEDED, Format, recognise
from .names import rename
from .report import ConversionReport
from .vit_sizes import ViTSizes, read_sizes

_BIAS = 'backbone.patch_embed.projection.bias'
_POSITIONS = ('backbone.pos_embed', 'neck.decoder_pos_embed')
# What a checkpoint need not have, and who starts it fresh then.
_OPTIONAL = {
    'backbone.ln1.': 'no start for pretraining or for the class token, which '
    'need it',
    'backbone.ln2.': 'fresh in a classifier that takes the mean of the '
    'patches',
    'neck.': 'fresh in pretraining',
    'fusion.': 'fresh in pretraining',
    'head.': 'fresh in a classifier',
}


def convert_weights(
    weights: Mapping[str, Tensor],
    source: str = 'weights',
    form: str = 'auto',
    img_size: int | None = None,
    patch_size: int | None = None,
    leave_out: Sequence[str] = (),
    allow_missing: Sequence[str] = (),
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
    known = FORMATS[form]
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
    changed = _reshape_clip(found) if form == 'clip' else {}
    sizes = read_sizes(found)
    missing = _check(found, sizes, unexpected, allow_missing, form)
    if patch_size not in (None, sizes.patch):
        raise ValueError(
            f'its patches are of {sizes.patch} pixels, not {patch_size}; '
            'patches cannot be resized'
        )
    if img_size is not None:
        sizes, resized = _resize(found, sizes, img_size)
        changed |= resized
    report = ConversionReport(
        source, form, str(sizes), mapped, changed, left_out, missing
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


def _reshape_clip(found: dict[str, Tensor]) -> dict[str, str]:
    """Gives CLIP's embeddings MMPretrain's shapes, and its patches a bias."""
    changed = {}
    for key, dimensions in (('cls_token', 1), ('pos_embed', 2)):
        value = found.get(f'backbone.{key}')
        if value is not None and value.dim() == dimensions:
            shape = (1,) * (3 - dimensions) + tuple(value.shape)
            found[f'backbone.{key}'] = value.reshape(shape)
            changed[f'backbone.{key}'] = f'of shape {shape}'
    patches = found.get(_BIAS.replace('bias', 'weight'))
    if patches is not None:
        found[_BIAS] = patches.new_zeros(patches.shape[0])
        changed[_BIAS] = "zeros, since CLIP's patches have no bias"
    return changed


def _check(
    found: dict[str, Tensor],
    sizes: ViTSizes,
    unexpected: list[str],
    allow_missing: Sequence[str],
    form: str,
) -> dict[str, str]:
    """Compares with what the sizes ask for; gives what may be missing."""
    shapes = {k: torch.Size(v) for k, v in sizes.shapes().items()}
    # MMPretrain has other heads and necks, which are taken as they are.
    known = 'backbone.' if form == 'mmpretrain' else ''
    unexpected = [
        *unexpected,
        *(k for k in found if k not in shapes and k.startswith(known)),
    ]
    optional = [
        part
        for part in _OPTIONAL
        if not any(key.startswith(part) for key in found)
    ]
    if len({'backbone.ln1.', 'backbone.ln2.'} & {*optional}) == 2:
        optional.remove('backbone.ln1.')
    missing = {part + '*': _OPTIONAL[part] for part in optional}
    absent = [
        key
        for key in shapes
        if key not in found and not key.startswith(tuple(optional))
    ]
    for key in absent:
        if any(fnmatchcase(key, pattern) for pattern in allow_missing):
            missing[key] = 'named by --allow-missing'
    problems = describe_keys(
        [key for key in absent if key not in missing],
        unexpected,
        reshaped_keys(found, shapes),
    )
    if problems:
        raise ValueError(
            f'keys {problems}; expected {FORMATS[form].title} names and '
            f'shapes of a {sizes}. What is meant to be so can be named by '
            '--leave-out or --allow-missing'
        )
    broken = [k for k, v in found.items() if not torch.isfinite(v).all()]
    if broken:
        shown = ', '.join(broken[:5]) + (', ...' if len(broken) > 5 else '')
        raise ValueError(f'{len(broken)} weights are not finite: {shown}')
    return missing


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
