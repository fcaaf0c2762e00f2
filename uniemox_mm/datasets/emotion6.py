"""Emotion6: images of Flickr for Ekman's six emotions."""

from mmpretrain.registry import DATASETS

from .categories import EMOTION6_CATEGORIES
from .class_folders import FolderLayout
from .folder_emotion import FolderEmotionDataset


@DATASETS.register_module()
class Emotion6(FolderEmotionDataset):
    """The Emotion6 dataset, `A Mixed Bag of Emotions
    <https://openaccess.thecvf.com/content_cvpr_2015/html/Peng_A_Mixed_Bag_2015_CVPR_paper.html>`_
    (CVPR 2015).

    1,980 images, split 70 : 10 : 20. ::

        data_root
        └── images
            ├── anger/*.jpg
            └── disgust/ fear/ joy/ sadness/ surprise/

    "Emotion-6" of Panda et al. (ECCV 2018), which has love and no disgust,
    is another dataset and refused.

    Args:
        data_root (str): The folder above.
        **kwargs: Those of :class:`FolderEmotionDataset`.
    """  # noqa: D205

    METAINFO = {'classes': EMOTION6_CATEGORIES}
    LAYOUT = FolderLayout(
        EMOTION6_CATEGORIES,
        places=('images', ''),
        others=dict(
            love='A dataset with love is Emotion-6 of Panda et al. or their '
            'UnbiasedEmo, not the Emotion6 of Peng et al. with disgust'
        ),
    )
    TREE = 'images/anger/*.jpg\nimages/disgust/ fear/ joy/ sadness/ surprise/'
