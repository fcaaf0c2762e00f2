"""The datasets that encoders are compared on, by the names of the configs."""

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
class Benchmark:
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


BENCHMARKS = dict(
    ube=Benchmark(
        UnbiasedEmo,
        'UBE',
        ('UnbiasedEmo', 'UnbiasedEmotion', 'UBE', 'UnBiasedEmo'),
    ),
    fi=Benchmark(FI, 'FI', ('FI', 'FlickrInstagram', 'FI_dataset')),
    emotion6=Benchmark(Emotion6, 'Emotion6', ('Emotion6',)),
    emo8=Benchmark(Emo8, 'Emo8', ('Emo8',)),
    caers=Benchmark(CAERS, 'CAER-S', ('CAER-S', 'CAERS', 'CAER_S')),
    heco=Benchmark(HECO, 'HECO', ('HECO',)),
    emoset=Benchmark(EmoSet, 'EmoSet', ('EmoSet-118K', 'EmoSet')),
)
