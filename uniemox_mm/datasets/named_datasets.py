"""The datasets of the downstream configs, by option name."""

from dataclasses import dataclass

from mmpretrain.datasets import BaseDataset

from .caers import CAERS
from .emo8 import Emo8
from .emoset import EmoSet
from .emotion6 import Emotion6
from .fi import FI
from .heco import HECO
from .unbiased_emo import UnbiasedEmo


@dataclass(frozen=True)
class NamedDataset:
    """A dataset of the paper's Table III.

    Attributes:
        dataset (type): Its class.
        title (str): Its name in tables.
        folders (tuple[str, ...]): Names that its folder commonly has; the
            first is that of the configs.
    """

    dataset: type[BaseDataset]
    title: str
    folders: tuple[str, ...]


NAMED_DATASETS = dict(
    ube=NamedDataset(
        UnbiasedEmo,
        'UBE',
        ('UnbiasedEmo', 'UnbiasedEmotion', 'UBE', 'UnBiasedEmo'),
    ),
    fi=NamedDataset(FI, 'FI', ('FI', 'FlickrInstagram', 'FI_dataset')),
    emotion6=NamedDataset(Emotion6, 'Emotion6', ('Emotion6',)),
    emo8=NamedDataset(Emo8, 'Emo8', ('Emo8',)),
    caers=NamedDataset(CAERS, 'CAER-S', ('CAER-S', 'CAERS', 'CAER_S')),
    heco=NamedDataset(HECO, 'HECO', ('HECO',)),
    emoset=NamedDataset(EmoSet, 'EmoSet', ('EmoSet-118K', 'EmoSet')),
)
