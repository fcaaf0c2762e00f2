"""Convert the weights of other projects to MMPretrain's names."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from .checked_loading import describe_keys, matches, reshaped_keys, shorten
from .formats import (
    CLIP_WITH_PRE_NORM,
    FORMATS,
    SUPERSEDED,
    Format,
    recognise,
    rename,
)
from .vit_sizes import PATCHES, ViTSizes, read_sizes

# Parts that a checkpoint need not have, and where they start fresh then.
_OPTIONAL = {
    'backbone.ln1.': 'no start for pretraining or for the class token, which '
    'need it',
    'backbone.ln2.': 'fresh in a classifier that takes the mean of the '
    'patches',
    'neck.': 'fresh in pretraining',
    'fusion.': 'fresh in pretraining',
    'head.': 'fresh in a classifier',
}
# Other parts of MMPretrain and of this project, which are taken as they are.
_FOREIGN = ('head.layers.head.', 'head.layers.pre_logits.', 'neck.', 'fusion.')
_BUFFERS = ('.num_batches_tracked',)  # of whole numbers


@dataclass(frozen=True)
class ConversionReport:
    """Account of every key of a converted checkpoint."""

    source: str  # name of the file
    format: str
    model: str  # its sizes
    mapped: dict[str, str]  # names in the file -> MMPretrain's
    changed: dict[str, str]  # MMPretrain's names -> how the file differs
    left_out: dict[str, str]  # names in the file -> why they were not taken
    missing: dict[str, str]  # patterns of MMPretrain's names -> what follows
    # Unusual settings of a VisionTransformer that gives the same -> why.
    settings: dict[str, str]

    def summary(self) -> list[str]:
        """Return lines on all but what was taken as it was."""
        return [
            f'{self.source}: {self.format}, {self.model}',
            *(f'changed   {k}: {how}' for k, how in self.changed.items()),
            *(f'left out  {k}: {why}' for k, why in self.left_out.items()),
            *(f'missing   {k}: {what}' for k, what in self.missing.items()),
            *(f'settings  {k}: {why}' for k, why in self.settings.items()),
            f'{len(self.mapped)} mapped, {len(self.left_out)} left out',
        ]

    def lines(self) -> list[str]:
        """Return lines on every key."""
        first, *rest = self.summary()
        return [
            first,
            *(f'mapped    {k} -> {ours}' for k, ours in self.mapped.items()),
            *rest,
        ]


def convert_weights(
    weights: Mapping[str, Tensor],
    source: str = 'weights',
    source_format: str = 'auto',
    img_size: int | None = None,
    patch_size: int | None = None,
    leave_out: Sequence[str] = (),
    allow_missing: Sequence[str] = (),
    pre_norm: bool = False,
) -> tuple[dict[str, Tensor], ConversionReport]:
    """Rename the weights of a ViT, and account for every one.

    Args:
        weights (Mapping[str, Tensor]): By their project's names.
        source (str): What to call them in the report.
        source_format (str): A key of :data:`FORMATS`, or 'auto' to go by the
            names.
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
        MMPretrain's names, and an account of every key.

    Raises:
        ValueError: They are of no known format, of another architecture, not
            complete, not finite, or do not agree with each other or with the
            sizes; the message lists the keys.
    """
    if source_format == 'auto':
        source_format = recognise(weights)
    known = FORMATS[source_format]
    if pre_norm:
        if source_format != 'clip':
            raise ValueError(
                "--pre-norm is for CLIP's weights, and these are "
                f'{known.title}'
            )
        known = CLIP_WITH_PRE_NORM
    left_out = _left_out(weights, known, leave_out)
    names = {
        key: key if known.names is None else rename(key, known.names)
        for key in weights
        if key not in left_out
    }
    mapped = {theirs: ours for theirs, ours in names.items() if ours}
    unexpected = [key for key in names if key not in mapped]
    if not mapped:
        raise ValueError(
            f'no key has one of {known.title} names; found '
            f'{shorten(sorted(weights))}'
        )
    found = {ours: weights[theirs] for theirs, ours in mapped.items()}
    changed = _reshape_clip(found, known) if source_format == 'clip' else {}
    sizes = read_sizes(found)
    missing = _check_keys(found, sizes, unexpected, allow_missing, known)
    _check_numbers(found)
    if patch_size not in (None, sizes.patch):
        raise ValueError(
            f'its patches are of {sizes.patch} pixels, not {patch_size}; '
            'patches cannot be resized'
        )
    if img_size is not None:
        sizes, resized = _resize(found, sizes, img_size)
        changed |= resized
    return found, ConversionReport(
        source,
        source_format,
        str(sizes),
        mapped,
        changed,
        left_out,
        missing,
        dict(known.settings),
    )


def _left_out(
    weights: Mapping[str, Tensor], known: Format, named: Sequence[str]
) -> dict[str, str]:
    """Map the keys that are not to be taken to the reasons."""
    _check_patterns('--leave-out', named, weights)
    patterns = {**known.left_out, **dict.fromkeys(named, 'by --leave-out')}
    if 'fc_norm.weight' in weights and not matches('fc_norm.weight', patterns):
        patterns = SUPERSEDED | patterns
    return {
        key: why
        for key in weights
        for pattern, why in patterns.items()
        if fnmatchcase(key, pattern)
    }


def _check_patterns(
    option: str, patterns: Sequence[str], keys: Iterable[str]
) -> None:
    """Refuse patterns that match nothing, such as misspelt ones."""
    for pattern in patterns:
        if not any(fnmatchcase(key, pattern) for key in keys):
            raise ValueError(f'{option} {pattern}: there is no such key')


def _reshape_clip(found: dict[str, Tensor], known: Format) -> dict[str, str]:
    """Give CLIP's embeddings MMPretrain's shapes, and its patches a bias."""
    changed = {}
    for key, dimensions in (('cls_token', 1), ('pos_embed', 2)):
        value = found.get(f'backbone.{key}')
        if value is not None and value.dim() == dimensions:
            shape = (1,) * (3 - dimensions) + tuple(value.shape)
            found[f'backbone.{key}'] = value.reshape(shape)
            changed[f'backbone.{key}'] = f'of shape {shape}'
    patches, bias = found.get(PATCHES + 'weight'), PATCHES + 'bias'
    # With pre_norm MMPretrain's have none either.
    if patches is not None and known is not CLIP_WITH_PRE_NORM:
        found[bias] = patches.new_zeros(patches.shape[0])
        changed[bias] = "zeros, since CLIP's patches have no bias"
    return changed


def _check_keys(
    found: Mapping[str, Tensor],
    sizes: ViTSizes,
    unexpected: Sequence[str],
    allow_missing: Sequence[str],
    known: Format,
) -> dict[str, str]:
    """Refuse keys that do not fit; map those that may be missing to why."""
    shapes = sizes.shapes()
    parts = (*_OPTIONAL,)
    named = [p for p in allow_missing if not p.startswith(parts)]
    _check_patterns('--allow-missing', named, shapes)
    foreign = tuple(
        part
        for part in _FOREIGN
        if known.names is None and not (part == 'neck.' and sizes.decoder)
    )
    optional = {
        part: what
        for part, what in _OPTIONAL.items()
        if not any(key.startswith(part) for key in found)
    }
    if {'backbone.ln1.', 'backbone.ln2.'} <= optional.keys():
        del optional['backbone.ln1.']  # one of them every encoder has
    absent = [
        key
        for key in shapes
        if key not in found and not key.startswith((*optional,))
    ]
    others = [
        key
        for key in found
        if key not in shapes and not key.startswith(foreign)
    ]
    allowed = [key for key in absent if matches(key, allow_missing)]
    problems = describe_keys(
        [key for key in absent if key not in allowed],
        [*unexpected, *others],
        reshaped_keys(found, shapes),
    )
    if problems:
        raise ValueError(
            f'{problems}; expected {known.title} names and shapes of a '
            f'{sizes}. Name what is meant to be so by --leave-out or '
            '--allow-missing'
        )
    return {
        **{f'{part}*': what for part, what in optional.items()},
        **dict.fromkeys(allowed, 'by --allow-missing'),
    }


def _check_numbers(found: Mapping[str, Tensor]) -> None:
    whole = [
        f'{key} ({str(value.dtype).removeprefix("torch.")})'
        for key, value in found.items()
        if not value.is_floating_point() and not key.endswith(_BUFFERS)
    ]
    if whole:
        raise ValueError(
            f'{len(whole)} weights are not floating-point: {shorten(whole)}'
        )
    broken = [k for k, v in found.items() if not torch.isfinite(v).all()]
    if broken:
        raise ValueError(
            f'{len(broken)} weights contain NaN or Inf: {shorten(broken)}'
        )


def _resize(
    found: dict[str, Tensor], sizes: ViTSizes, img_size: int
) -> tuple[ViTSizes, dict[str, str]]:
    grid = img_size // sizes.patch
    if grid < 1 or grid * sizes.patch != img_size:
        raise ValueError(
            f'images of {img_size} pixels are not a whole number of patches '
            f'of {sizes.patch}'
        )
    changed: dict[str, str] = {}
    for key in ('backbone.pos_embed', 'neck.decoder_pos_embed'):
        if key in found and grid != sizes.grid:
            found[key] = resize_pos_embed(
                found[key], (sizes.grid,) * 2, (grid,) * 2
            )
            changed[key] = (
                f'interpolated from {sizes.grid} x {sizes.grid} to {grid} x '
                f'{grid} patches'
            )
    return dataclasses.replace(sizes, grid=grid), changed
