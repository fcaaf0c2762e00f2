"""Networks and losses."""

from .backbones import DualStreamViT
from .detectors import PersonDetector
from .losses import CLIPSimilarityDistillLoss
from .necks import (
    AdditionFusion,
    AttentionFusion,
    EmoMAEDecoder,
    GatedAttentionFusion,
    WeightedSumFusion,
)
from .pair_data_preprocessor import PairDataPreprocessor
from .selfsup import EmoMAE
from .target_generators import CLIPTeacher

__all__ = [
    'AdditionFusion',
    'AttentionFusion',
    'CLIPSimilarityDistillLoss',
    'CLIPTeacher',
    'DualStreamViT',
    'EmoMAE',
    'EmoMAEDecoder',
    'GatedAttentionFusion',
    'PairDataPreprocessor',
    'PersonDetector',
    'WeightedSumFusion',
]
