from .addition_fusion import AdditionFusion
from .attention_fusion import AttentionFusion
from .emo_mae_decoder import EmoMAEDecoder
from .gated_attention_fusion import GatedAttentionFusion
from .weighted_sum_fusion import WeightedSumFusion

__all__ = [
    'AdditionFusion',
    'AttentionFusion',
    'EmoMAEDecoder',
    'GatedAttentionFusion',
    'WeightedSumFusion',
]
