"""CAER-S: stills of people in TV shows."""

from mmpretrain.registry import DATASETS

from .categories import CAERS_CATEGORIES
from .class_folders import FolderLayout
from .folder_emotion import FolderEmotionDataset


@DATASETS.register_module()
class CAERS(FolderEmotionDataset):
    """The `CAER-S <https://caer-dataset.github.io>`_ dataset (ICCV 2019).

    About 70,000 images, 49,000 for training and 21,000 for testing. ::

        data_root
        ├── train
        │   ├── Anger (or Angry)/0001.png ...
        │   └── ...
        └── test

    There is no validation split: as the UniEmoX authors did, 34 % of the
    shipped test images are used for it. The download holds exact duplicates,
    also across its splits; ``make_splits.py`` finds them and can drop them,
    and can take the validation images from train.

    Args:
        data_root (str): The folder above.
        **kwargs: Those of :class:`FolderEmotionDataset`.
    """

    METAINFO = {'classes': CAERS_CATEGORIES}
    LAYOUT = FolderLayout(
        CAERS_CATEGORIES, parts=('train', 'test'), aliases=dict(Angry='Anger')
    )
    RATIOS = dict(train=dict(train=1.0), test=dict(test=0.66, val=0.34))
    TREE = (
        'train/Anger (or Angry)/0001.png ...\n'
        'train/Disgust/ Fear/ Happy/ Neutral/ Sad/ Surprise/\n'
        'test/ (the same)'
    )
