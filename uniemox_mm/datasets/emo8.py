"""Emo8: images found by words for eight emotions."""

from mmpretrain.registry import DATASETS

from .categories import EMOSET_CATEGORIES
from .class_folders import FolderLayout
from .folder_emotion import FolderEmotionDataset


@DATASETS.register_module()
class Emo8(FolderEmotionDataset):
    """The Emo8 dataset of UniEmoX, `Sec. IV
    <https://arxiv.org/abs/2409.18877>`_.

    8,930 images of EmoSet's eight emotions, split 80 : 10 : 10. ::

        data_root
        ├── amusement/*.jpg
        └── awe/ contentment/ excitement/ anger/ disgust/ fear/ sadness/

    The paper chooses, among many such splits, the one whose parts agree best
    in their colors; ``make_splits.py`` does. Without split files any one is
    taken.

    Args:
        data_root (str): The folder above.
        **kwargs: Those of :class:`FolderEmotionDataset`.
    """  # noqa: D205

    METAINFO = {'classes': EMOSET_CATEGORIES}
    LAYOUT = FolderLayout(EMOSET_CATEGORIES, places=('', 'images'))
    RATIOS = {'': dict(train=0.8, val=0.1, test=0.1)}
    TREE = (
        'amusement/*.jpg\n'
        'awe/ contentment/ excitement/ anger/ disgust/ fear/ sadness/'
    )
