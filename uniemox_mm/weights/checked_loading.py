"""Refuses weights that do not fit, where MMEngine would only log them."""

from collections.abc import Mapping

from mmengine.logging import print_log
from torch import Tensor, nn

from .encoder_weights import MisfitError
from .weight_files import describe_keys, reshaped_keys


def check_weights(
    module: nn.Module, weights: Mapping[str, Tensor], prefix: str = ''
) -> None:
    """Compares weights with the model that they are about to enter.

    The backbone must be there whole. Any other part (decoder, fusion) may be
    missing altogether, as in an encoder-only checkpoint, and then keeps its
    fresh weights, which is logged; a part that is there in pieces, a key
    that the model does not have, or another shape is an error.

    Args:
        module (nn.Module): The model, with a ``backbone``.
        weights (Mapping[str, Tensor]): The checkpoint's state dict.
        prefix (str): Prefix of this model's keys in ``weights``.

    Raises:
        MisfitError: The weights do not fit; the message lists the keys.
    """
    expected = {prefix + k: v.shape for k, v in module.state_dict().items()}
    given = {k: v for k, v in weights.items() if k.startswith(prefix)}
    missing = [k for k in expected if k not in given]
    unexpected = [k for k in given if k not in expected]
    reshaped = reshaped_keys(given, expected)

    def part(key: str) -> str:
        return key.removeprefix(prefix).split('.')[0]

    parts_given = {part(k) for k in given}
    fresh = sorted({part(k) for k in missing} - parts_given - {'backbone'})
    torn = [k for k in missing if part(k) not in fresh]
    problems = describe_keys(torn, unexpected, reshaped)
    if problems:
        raise MisfitError(
            f'these weights do not fit {type(module).__name__}. Keys '
            + problems
            + ". Expected MMPretrain's names (backbone.layers.0.ln1.weight, "
            '...) of the architecture in the config; checkpoints of other '
            'projects must be converted first'
        )
    if fresh:
        print_log(
            f'Not in the checkpoint, starting fresh: {", ".join(fresh)}',
            logger='current',
        )


def refuse_foreign_weights(module: nn.Module) -> None:
    """Runs :func:`check_weights` whenever ``module`` loads a state dict."""

    def hook(module, state_dict, prefix, *_) -> None:
        check_weights(module, state_dict, prefix)

    module.register_load_state_dict_pre_hook(hook)
