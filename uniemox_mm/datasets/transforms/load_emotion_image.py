"""Reads an image whole, or says which file is broken."""

from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmpretrain.registry import TRANSFORMS

from .. import lmdb_paths  # noqa: F401  (registers the backend)
from ..decoding import decode
from ..errors import BadSampleError


@TRANSFORMS.register_module()
class LoadEmotionImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` for downloads that hold broken files.

    Decodes with Pillow, which says what is wrong with a file where OpenCV
    returns nothing (and older ones paint what is missing grey), and converts
    palette, gray (also of 16 bit), CMYK and alpha to 8 bit BGR, upright by
    EXIF. A path that goes through a folder ``*.lmdb`` is read from that
    database.

    Required Keys: ``img_path``. Added Keys: ``img`` (H, W, 3) uint8 BGR,
    ``img_shape``, ``ori_shape``.

    Args:
        min_size (int): Shortest side accepted, in pixels. Defaults to 16,
            one patch.
        backend_args (dict, optional): MMEngine's file backend. Defaults to
            files and LMDBs.

    Raises:
        BadSampleError: The file is missing, not an image, truncated or too
            small; the message names it.
    """

    def __init__(
        self, min_size: int = 16, backend_args: dict | None = None
    ) -> None:
        super().__init__(
            imdecode_backend='pillow',
            backend_args=backend_args or dict(backend='local_or_lmdb'),
        )
        self.min_size = min_size

    def transform(self, results: dict) -> dict:
        """Loads ``results['img_path']``."""
        path = results['img_path']
        try:
            image = decode(fileio.get(path, backend_args=self.backend_args))
        except FileNotFoundError:
            raise BadSampleError(
                f'{path}: no such image; expected the file that the list names'
            ) from None
        except ImportError:  # of lmdb, which is nothing of the sample's
            raise
        except Exception as error:  # decoders raise what they like
            raise BadSampleError(
                f'{path}: expected a readable image, but decoding failed with '
                f'{type(error).__name__}: {error}'
            ) from error
        height, width = image.shape[:2]
        if min(height, width) < self.min_size:
            raise BadSampleError(
                f'{path}: the image is {width} x {height} pixels; expected at '
                f'least {self.min_size} on either side'
            )
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = (height, width)
        return results
