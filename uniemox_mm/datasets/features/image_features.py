"""The teacher's features of whole images on disk."""

from pathlib import PurePath

import numpy as np

from .feature_cache import FeatureCache, StaleFeaturesError


class ImageFeatures(FeatureCache):
    """Memory-mapped features Omega of the images of a dataset, float16.

    Each is of the whole image, squeezed into the teacher's square, not of
    the crop that the student sees: a step is cheaper, the target coarser.
    Rows are checked by the images' paths in the data set, not by their
    content: remove the cache when images change.

    Args and errors are those of :class:`FeatureCache`.
    """

    what = 'image features'
    keys = 'images'

    def row(self, index: int, image: str) -> np.ndarray:
        """The feature of one image.

        Args:
            index (int): Index of the sample in the dataset.
            image (str): Its :func:`image_key`.

        Returns:
            np.ndarray: (C3,) float16, a copy.

        Raises:
            StaleFeaturesError: The row was made from another image.
        """
        before = self.differs(index, image)
        if before is not None:
            raise StaleFeaturesError(
                f'{self.folder}: row {index} was made from the image '
                f'{before!r}, but the data set now has {image!r} there; '
                f'{self.remedy}'
            )
        return self.read(index)


def image_key(img_path: str, data_root: str) -> str:
    """Names an image in the same way wherever the data set lies."""
    path = PurePath(img_path)
    if path.is_relative_to(data_root):
        path = path.relative_to(data_root)
    return path.as_posix()
