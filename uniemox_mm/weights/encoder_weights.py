"""Moves a pretrained encoder into a classifier, or says what does not fit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mmengine.model import BaseModel
from torch import Tensor, nn

from .weight_files import describe_keys

PREFIX = 'backbone.'
# The LayerNorm after the mean of the tokens, which no pretraining has.
FRESH = ('ln2.*',)
# The norm before it, which classifiers of that kind leave out, and the token
# that stands for hidden patches.
LEFT_OUT = ('ln1.*', 'mask_token')
# Follows from the size of the windows and is not learnt.
_CONSTANT = '*relative_position_index'


class MisfitError(ValueError):
    """Weights are not those of the model."""


@dataclass(frozen=True)
class EncoderReport:
    """What became of a checkpoint.

    Attributes:
        loaded (int): Number of tensors that the backbone took.
        fresh (list[str]): Keys of the model that the checkpoint does not
            have or that were not to be taken from it.
        left_out (list[str]): Keys of the checkpoint's backbone that the
            model does not have.
        other_parts (list[str]): Other parts of the checkpoint, such as its
            decoder, of which nothing is taken.
    """

    loaded: int
    fresh: list[str]
    left_out: list[str]
    other_parts: list[str]

    def __str__(self) -> str:
        return (
            f'took {self.loaded} tensors of the backbone; fresh: '
            f'{", ".join(self.fresh) or "nothing"}; left out: '
            f'{", ".join([*self.left_out, *self.other_parts]) or "nothing"}'
        )


def load_encoder(
    model: BaseModel,
    weights: Mapping[str, Tensor],
    fresh: Sequence[str] = FRESH,
    left_out: Sequence[str] = LEFT_OUT,
) -> EncoderReport:
    """Fills a model's backbone from a checkpoint of any task.

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
        EncoderReport: What was done.

    Raises:
        MisfitError: The backbone's weights are not there or do not fit; the
            message lists the keys.
    """
    expected = model.backbone.state_dict()
    given = {
        name: value
        for key, value in weights.items()
        if key.startswith(PREFIX)
        and not (
            _like(name := key.removeprefix(PREFIX), fresh)
            and name in expected
            and expected[name].shape != value.shape
        )
    }
    if not given:
        raise MisfitError(
            f'there is no key that starts with {PREFIX!r}, only '
            f'{", ".join(sorted(weights)[:5])}, ...; {_EXPECTED}'
        )
    # Into the backbone itself: what MMPretrain's backbones do to a
    # checkpoint goes by keys without the prefix.
    absent, unexpected = load_by_name(model.backbone, given)
    missing = [key for key in absent if not _like(key, (_CONSTANT,))]
    problems = describe_keys(
        (PREFIX + key for key in missing if not _like(key, fresh)),
        (PREFIX + key for key in unexpected if not _like(key, left_out)),
        (),
    )
    if problems:
        raise MisfitError(f'keys {problems}; {_EXPECTED}')
    others = (k for k in model.state_dict() if not k.startswith(PREFIX))
    return EncoderReport(
        loaded=len(given) - len(unexpected),
        fresh=[*(PREFIX + key for key in missing), *others],
        left_out=[PREFIX + key for key in unexpected],
        other_parts=_parts(weights),
    )


_EXPECTED = (
    "expected MMPretrain's names (backbone.layers.0.ln1.weight, ...) of the "
    'architecture in the config; checkpoints of other projects must be '
    'converted first'
)


def load_classifier(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Fills a whole classifier.

    Raises:
        MisfitError: The weights do not fit; the message lists the keys.
    """
    missing, unexpected = load_by_name(model, weights)
    problems = describe_keys(missing, unexpected, ())
    if problems:
        untrained = any(key.startswith('head.') for key in missing)
        raise MisfitError(
            f'keys {problems}'
            + (
                '. A pretrained encoder cannot classify yet: train with it '
                'as --load-from first'
                if untrained
                else ''
            )
        )


def load_by_name(
    model: nn.Module, weights: Mapping[str, Tensor]
) -> tuple[list[str], list[str]]:
    """Fills a model with the tensors that have the names of its own.

    Args:
        model (nn.Module): The model, which may adapt them on the way.
        weights (Mapping[str, Tensor]): A state dict.

    Returns:
        tuple[list[str], list[str]]: Keys of the model only, and of the
        weights only.

    Raises:
        MisfitError: Tensors have other shapes than those of the model; the
            message counts them in a line.
    """
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        own = model.state_dict()
        raise MisfitError(_describe_shapes(own, weights) or error) from None
    return missing, unexpected


def _describe_shapes(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> str:
    shared = [key for key in own if key in given]
    others = [key for key in shared if own[key].shape != given[key].shape]
    if not others:
        return ''
    first = others[0]
    verb = 'has another shape' if len(others) == 1 else 'have other shapes'
    head = all(key.startswith('head.') for key in others)
    differs = 'number of classes' if head else 'architecture'
    return (
        f'{len(others)} of {len(shared)} tensors {verb} ({first} '
        f'{tuple(given[first].shape)}, config {tuple(own[first].shape)}): the '
        f'config is of another {differs}'
    )


def _like(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _parts(keys: Iterable[str]) -> list[str]:
    return sorted({key.split('.')[0] for key in keys} - {'backbone'})
