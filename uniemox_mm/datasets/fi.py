"""FI: images of Flickr and Instagram."""

from mmpretrain.registry import DATASETS

from .categories import FI_CATEGORIES
from .class_folders import FolderLayout
from .folder_emotion import FolderEmotionDataset


@DATASETS.register_module()
class FI(FolderEmotionDataset):
    """The FI dataset, `Building a Large Scale Dataset for Image Emotion
    Recognition <https://arxiv.org/abs/1605.02677>`_ (AAAI 2016).

    23,308 images of 8 emotions, split 80 : 5 : 15. ::

        data_root
        ├── amusement/*.jpg
        └── anger/ awe/ contentment/ disgust/ excitement/ fear/ sadness/

    Broken files occur in copies of it; ``make_splits.py`` leaves them out.

    Args:
        data_root (str): The folder above.
        **kwargs: Those of :class:`FolderEmotionDataset`.
    """  # noqa: D205

    METAINFO = {'classes': FI_CATEGORIES}
    LAYOUT = FolderLayout(FI_CATEGORIES)
    RATIOS = {'': dict(train=0.8, val=0.05, test=0.15)}
    TREE = (
        'amusement/*.jpg\n'
        'anger/ awe/ contentment/ disgust/ excitement/ fear/ sadness/'
    )
