"""The emotion of images: a trained classifier, or CLIP without training."""

from .emotion_inferencer import EmotionInferencer
from .zero_shot import ZeroShotEmotionInferencer

__all__ = ['EmotionInferencer', 'ZeroShotEmotionInferencer']
