"""Load models, ask them for the emotions of images, show them."""

from uniemox_mm.weights.weight_files import load_weights

from .emotion_inferencer import EmotionInferencer
from .pretrained import load_pretrained
from .zero_shot import ZeroShotEmotionInferencer

__all__ = [
    'EmotionInferencer',
    'ZeroShotEmotionInferencer',
    'load_pretrained',
    'load_weights',
]
