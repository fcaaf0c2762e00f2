"""UnbiasedEmo (UBE): the same objects in all emotions."""

from mmpretrain.registry import DATASETS

from .categories import UNBIASED_EMO_CATEGORIES
from .class_folders import FolderLayout
from .folder_emotion import FolderEmotionDataset


@DATASETS.register_module()
class UnbiasedEmo(FolderEmotionDataset):
    """The UnbiasedEmotion dataset, `Contemplating Visual Emotions
    <https://arxiv.org/abs/1808.02212>`_ (ECCV 2018).

    3,045 images, split 70 : 10 : 20 within each of the inner folders. ::

        data_root
        └── images
            ├── anger
            │   ├── <object>/*.jpg
            │   └── ...
            └── fear/ joy/ love/ sadness/ surprise/

    Args:
        data_root (str): The folder above.
        **kwargs: Those of :class:`FolderEmotionDataset`.
    """  # noqa: D205

    METAINFO = {'classes': UNBIASED_EMO_CATEGORIES}
    LAYOUT = FolderLayout(
        UNBIASED_EMO_CATEGORIES,
        places=('images', ''),
        nested=True,
        others={
            'disgust': 'A dataset with disgust is Emotion6 of Peng et al., '
            'not UnbiasedEmo',
            '': 'The dataset of these classes without inner folders is '
            'Emotion-6 of Panda et al.',
        },
    )
    TREE = (
        'images/anger/<object>/*.jpg ...\n'
        'images/fear/ joy/ love/ sadness/ surprise/ (the same)'
    )
