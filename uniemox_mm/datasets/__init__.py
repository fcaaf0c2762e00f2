"""Images, boxes, captions and text features."""

from .base_emotion import BaseEmotionDataset
from .captions import describe
from .emoset import EmoSet
from .errors import BadSampleError
from .text_features import TextFeatures, write_text_features
from .transforms import LoadEmotionImage, PersonCrop, SceneAndPerson

__all__ = [
    'BadSampleError',
    'BaseEmotionDataset',
    'EmoSet',
    'LoadEmotionImage',
    'PersonCrop',
    'SceneAndPerson',
    'TextFeatures',
    'describe',
    'write_text_features',
]
