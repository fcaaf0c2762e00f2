"""Compares converted weights with the model that their sizes ask for."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from .formats import FORMATS
from .vit_sizes import ViTSizes
from .weight_files import describe_keys, reshaped_keys

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
# What MMPretrain and we have besides, which is taken as it is.
_FOREIGN = ('head.layers.head.', 'head.layers.pre_logits.', 'neck.', 'fusion.')
_BUFFERS = ('.num_batches_tracked',)  # of whole numbers


def check_weights(
    found: Mapping[str, Tensor],
    sizes: ViTSizes,
    unexpected: Sequence[str],
    allow_missing: Sequence[str],
    form: str,
) -> dict[str, str]:
    """Compares weights with what their sizes ask for.

    Args:
        found (Mapping[str, Tensor]): The weights, by MMPretrain's names.
        sizes (ViTSizes): Their sizes.
        unexpected (Sequence[str]): Keys of the source without such a name.
        allow_missing (Sequence[str]): Patterns of what may be missing.
        form (str): A key of :data:`FORMATS`.

    Returns:
        dict[str, str]: What is missing and may be, and what follows.

    Raises:
        ValueError: They do not fit, or are no finite numbers; the message
            lists the keys.
    """
    shapes = {k: torch.Size(v) for k, v in sizes.shapes().items()}
    foreign = tuple(
        part
        for part in _FOREIGN
        if form == 'mmpretrain' and not (part == 'neck.' and sizes.decoder)
    )
    optional = [
        part
        for part in _OPTIONAL
        if not any(key.startswith(part) for key in found)
    ]
    if len({'backbone.ln1.', 'backbone.ln2.'} & {*optional}) == 2:
        optional.remove('backbone.ln1.')
    absent = [
        key
        for key in shapes
        if key not in found and not key.startswith(tuple(optional))
    ]
    others = [
        key
        for key in found
        if key not in shapes and not key.startswith(foreign)
    ]
    allowed = _allowed(absent, shapes, allow_missing)
    problems = describe_keys(
        [key for key in absent if key not in allowed],
        [*unexpected, *others],
        reshaped_keys(found, shapes),
    )
    if problems:
        raise ValueError(
            f'keys {problems}; expected {FORMATS[form].title} names and '
            f'shapes of a {sizes}. What is meant to be so can be named by '
            '--leave-out or --allow-missing'
        )
    _check_numbers(found)
    return {part + '*': _OPTIONAL[part] for part in optional} | allowed


def _allowed(
    absent: Iterable[str], shapes: Iterable[str], patterns: Sequence[str]
) -> dict[str, str]:
    """What of the absent keys is named by ``patterns``."""
    for pattern in patterns:
        if not pattern.startswith((*_OPTIONAL,)) and not any(
            fnmatchcase(key, pattern) for key in shapes
        ):
            raise ValueError(
                f'--allow-missing {pattern}: the model has no such key'
            )
    return {
        key: 'named by --allow-missing'
        for key in absent
        if any(fnmatchcase(key, pattern) for pattern in patterns)
    }


def _check_numbers(found: Mapping[str, Tensor]) -> None:
    whole = [
        f'{key} ({str(value.dtype).removeprefix("torch.")})'
        for key, value in found.items()
        if not value.is_floating_point() and not key.endswith(_BUFFERS)
    ]
    if whole:
        raise ValueError(
            f'{len(whole)} weights are no floating-point numbers: '
            + _first(whole)
        )
    broken = [k for k, v in found.items() if not torch.isfinite(v).all()]
    if broken:
        raise ValueError(
            f'{len(broken)} weights are not finite: {_first(broken)}'
        )


def _first(keys: Sequence[str]) -> str:
    return ', '.join(keys[:5]) + (', ...' if len(keys) > 5 else '')
