"""Fill models from state dicts, with every key accounted for.

MMEngine loads what fits and logs the rest; here the rest is an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn

PREFIX = 'backbone.'
# The LayerNorm after the mean of the tokens, which no pretraining has.
FRESH = ('ln2.*',)
# The norm before it, which classifiers of that kind leave out, and the token
# that stands for hidden patches.
LEFT_OUT = ('ln1.*', 'mask_token')
# Follows from the size of the windows and is not learnt.
_CONSTANT = ('*relative_position_index',)
_SHOWN = 5
_EXPECTED = (
    "expected MMPretrain's names (backbone.layers.0.ln1.weight, ...) of the "
    'architecture in the config; convert checkpoints of other projects first'
)


class MisfitError(ValueError):
    """Weights are not those of the model."""


def describe_keys(
    missing: Iterable[str],
    unexpected: Iterable[str],
    reshaped: Iterable[str] = (),
) -> str:
    """List keys that do not fit, five of each kind; blank where all do."""
    return '; '.join(
        f'{len(keys)} key{"s" * (len(keys) > 1)} {kind}: {shorten(keys)}'
        for kind, keys in (
            ('missing', list(missing)),
            ('unexpected', list(unexpected)),
            ('of another shape', list(reshaped)),
        )
        if keys
    )


def shorten(keys: Sequence[str]) -> str:
    """Join the first five keys."""
    return ', '.join(keys[:_SHOWN]) + (', ...' if len(keys) > _SHOWN else '')


def reshaped_keys(
    given: Mapping[str, Tensor], expected: Mapping[str, torch.Size]
) -> list[str]:
    """Describe the keys whose shapes differ."""
    return [
        f'{k}: checkpoint {tuple(given[k].shape)}, model {tuple(shape)}'
        for k, shape in expected.items()
        if k in given and given[k].shape != shape
    ]


def matches(key: str, patterns: Iterable[str]) -> bool:
    """Return whether a key matches one of the patterns of ``fnmatch``."""
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def check_weights(
    module: nn.Module, weights: Mapping[str, Tensor], prefix: str = ''
) -> None:
    """Compare weights with the model that is about to load them.

    Any part but the backbone (decoder, fusion) may be missing altogether, as
    in an encoder-only checkpoint, and then keeps its fresh weights, which is
    logged.

    Args:
        module (nn.Module): The model, with a ``backbone``.
        weights (Mapping[str, Tensor]): The checkpoint's state dict.
        prefix (str): Prefix of this model's keys in ``weights``.

    Raises:
        MisfitError: A part is incomplete, a key is not one of the model, or
            has another shape; the message lists the keys.
    """
    expected = {prefix + k: v.shape for k, v in module.state_dict().items()}
    given = {k: v for k, v in weights.items() if k.startswith(prefix)}
    missing = [k for k in expected if k not in given]

    def part(key: str) -> str:
        return key.removeprefix(prefix).split('.')[0]

    parts_given = {part(k) for k in given}
    fresh = sorted({part(k) for k in missing} - parts_given - {'backbone'})
    problems = describe_keys(
        [k for k in missing if part(k) not in fresh],
        [k for k in given if k not in expected],
        reshaped_keys(given, expected),
    )
    if problems:
        raise MisfitError(
            f'these weights do not fit {type(module).__name__}: {problems}; '
            f'{_EXPECTED}'
        )
    if fresh:
        print_log(
            f'Not in the checkpoint, starting fresh: {", ".join(fresh)}',
            logger='current',
        )


def refuse_foreign_weights(module: nn.Module) -> None:
    """Run :func:`check_weights` whenever ``module`` loads a state dict."""

    def hook(module, state_dict, prefix, *_) -> None:
        check_weights(module, state_dict, prefix)

    module.register_load_state_dict_pre_hook(hook)


@dataclass(frozen=True)
class EncoderReport:
    """Result of :func:`load_encoder`."""

    loaded: int  # number of tensors that the backbone took
    fresh: list[str]  # keys of the model that were not taken
    left_out: list[str]  # keys of the checkpoint's backbone alone
    other_parts: list[str]  # of the checkpoint, such as its decoder

    def __str__(self) -> str:
        left_out = [*self.left_out, *self.other_parts]
        return (
            f'took {self.loaded} tensors of the backbone; fresh: '
            f'{", ".join(self.fresh) or "nothing"}; left out: '
            f'{", ".join(left_out) or "nothing"}'
        )


def load_encoder(
    model: BaseModel,
    weights: Mapping[str, Tensor],
    fresh: Sequence[str] = FRESH,
    left_out: Sequence[str] = LEFT_OUT,
) -> EncoderReport:
    """Fill a model's backbone from a checkpoint of any task.

    Sizes that differ with the size of the image (position embeddings) are
    adapted by the backbone itself.

    Args:
        model (BaseModel): A classifier of MMPretrain.
        weights (Mapping[str, Tensor]): The checkpoint's state dict, with
            MMPretrain's names.
        fresh (Sequence[str]): Patterns (as of ``fnmatch``) of backbone keys
            that may be missing in the checkpoint, and start fresh where
            their shape differs. Defaults to ``('ln2.*',)``.
        left_out (Sequence[str]): Patterns of backbone keys that may be in
            the checkpoint only. Defaults to ``('ln1.*', 'mask_token')``.

    Returns:
        EncoderReport: What was loaded and what was not.

    Raises:
        MisfitError: The backbone's weights are missing or do not fit; the
            message lists the keys.
    """
    expected = model.backbone.state_dict()
    given = {
        name: value
        for key, value in weights.items()
        if key.startswith(PREFIX)
        and not (
            matches(name := key.removeprefix(PREFIX), fresh)
            and name in expected
            and expected[name].shape != value.shape
        )
    }
    if not given:
        raise MisfitError(
            f'no key starts with {PREFIX!r}; found {shorten(sorted(weights))}'
            f'; {_EXPECTED}'
        )
    # Into the backbone itself: what MMPretrain's backbones do to a
    # checkpoint goes by keys without the prefix.
    absent, unexpected = _load_by_name(model.backbone, given)
    missing = [key for key in absent if not matches(key, _CONSTANT)]
    problems = describe_keys(
        (PREFIX + key for key in missing if not matches(key, fresh)),
        (PREFIX + key for key in unexpected if not matches(key, left_out)),
    )
    if problems:
        raise MisfitError(f'{problems}; {_EXPECTED}')
    others = (k for k in model.state_dict() if not k.startswith(PREFIX))
    return EncoderReport(
        loaded=len(given) - len(unexpected),
        fresh=[*(PREFIX + key for key in missing), *others],
        left_out=[PREFIX + key for key in unexpected],
        other_parts=sorted({k.split('.')[0] for k in weights} - {'backbone'}),
    )


def load_strictly(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Fill a whole model, with no key left over on either side.

    Raises:
        MisfitError: The weights do not fit; the message lists the keys.
    """
    missing, unexpected = _load_by_name(model, weights)
    problems = describe_keys(missing, unexpected)
    if any(key.startswith('head.') for key in missing):
        problems += (
            '. A pretrained encoder cannot classify yet: train with it as '
            '--load-from first'
        )
    if problems:
        raise MisfitError(problems)


def _load_by_name(
    model: nn.Module, weights: Mapping[str, Tensor]
) -> tuple[list[str], list[str]]:
    """Fill a model, and return keys of the model only and of the weights only.

    The model may adapt weights of another shape on the way.
    """
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        own = {key: value.shape for key, value in model.state_dict().items()}
        reshaped = reshaped_keys(weights, own)
        if not reshaped:
            raise MisfitError(error) from None
        head = all(key.startswith('head.') for key in reshaped)
        raise MisfitError(
            f'{describe_keys((), (), reshaped)}: the config is for another '
            f'{"number of classes" if head else "architecture"}'
        ) from None
    return missing, unexpected
