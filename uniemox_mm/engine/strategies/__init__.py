"""MMEngine's strategies of many GPUs, fitted to a frozen teacher."""

from .emo_deepspeed_strategy import EmoDeepSpeedStrategy
from .emo_fsdp_strategy import EmoFSDPStrategy, wrap_transformer_layers

__all__ = [
    'EmoDeepSpeedStrategy',
    'EmoFSDPStrategy',
    'wrap_transformer_layers',
]
