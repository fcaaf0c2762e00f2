"""Which modules FSDP shards as a unit."""

from mmengine.registry import FUNCTIONS
from mmpretrain.models.backbones.vision_transformer import (
    TransformerEncoderLayer,
)
from torch import nn


@FUNCTIONS.register_module()
def wrap_transformer_layers(
    module: nn.Module, recurse: bool, nonwrapped_numel: int
) -> bool:
    """Makes every transformer layer a unit, as FSDP's ``auto_wrap_policy``.

    The layers of encoder and decoder hold nearly all parameters, so a process
    never has more than two of them whole; the rest (embeddings, projections,
    fusion) is the root's.

    Args:
        module (nn.Module): A module of the model.
        recurse (bool): Whether FSDP asks if to look inside of it.
        nonwrapped_numel (int): Parameters in it that are in no unit yet.

    Returns:
        bool: Whether to look inside, or to make it a unit.
    """
    return recurse or isinstance(module, TransformerEncoderLayer)
