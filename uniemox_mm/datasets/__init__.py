"""Datasets of emotional images, with boxes, captions and features."""

from uniemox_mm.datasets.features.image_features import ImageFeatures
from uniemox_mm.datasets.features.text_features import TextFeatures

from .base_emotion import BaseEmotionDataset
from .caers import CAERS
from .captions import describe
from .emo8 import Emo8
from .emoset import EmoSet
from .emotion6 import Emotion6
from .errors import BadSampleError
from .fi import FI
from .folder_emotion import FolderEmotionDataset
from .heco import HECO
from .transforms import LoadEmotionImage, PersonCrop, SceneAndPerson
from .unbiased_emo import UnbiasedEmo

__all__ = [
    'CAERS',
    'FI',
    'HECO',
    'BadSampleError',
    'BaseEmotionDataset',
    'Emo8',
    'EmoSet',
    'Emotion6',
    'FolderEmotionDataset',
    'ImageFeatures',
    'LoadEmotionImage',
    'PersonCrop',
    'SceneAndPerson',
    'TextFeatures',
    'UnbiasedEmo',
    'describe',
]
