"""Load models and predict the emotions of images."""

from uniemox_mm.weights.read_checkpoint import load_weights

from .emotion_inferencer import EmotionInferencer
from .load_model import load_model
from .zero_shot import ZeroShotEmotionInferencer

__all__ = [
    'EmotionInferencer',
    'ZeroShotEmotionInferencer',
    'load_model',
    'load_weights',
]
