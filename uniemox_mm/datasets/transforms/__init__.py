from .fast_resize import FastRandomResizedCrop, FastResize
from .load_emotion_image import LoadEmotionImage
from .person_crop import PersonCrop
from .scene_and_person import SceneAndPerson

__all__ = [
    'FastRandomResizedCrop',
    'FastResize',
    'LoadEmotionImage',
    'PersonCrop',
    'SceneAndPerson',
]
