"""MMEngine's strategies of many GPUs, fitted to a frozen teacher."""

from .atomic_saving import AtomicSavingMixin
from .emo_deepspeed_strategy import EmoDeepSpeedStrategy
from .emo_fsdp_strategy import EmoFSDPStrategy
from .transformer_layers import wrap_transformer_layers

__all__ = [
    'AtomicSavingMixin',
    'EmoDeepSpeedStrategy',
    'EmoFSDPStrategy',
    'wrap_transformer_layers',
]
