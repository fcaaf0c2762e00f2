"""Load an image, or name the file that is broken."""

from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmpretrain.registry import TRANSFORMS
from PIL import UnidentifiedImageError

from .. import lmdb_paths  # noqa: F401  (registers the backend)
from ..decoding import DecodedImage, decode_scaled
from ..errors import BadSampleError


@TRANSFORMS.register_module()
class LoadEmotionImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` for downloads that hold broken files.

    Decodes with Pillow, which reports the problem of a file where OpenCV
    returns nothing (and older versions fill the missing part with gray), and
    converts palette, gray (also of 16 bits), CMYK and alpha to 8-bit BGR,
    upright by EXIF. A path that goes through a folder ``*.lmdb`` is read from
    that database.

    With ``decode_short_side`` large JPEGs are decoded smaller, which saves
    less in decoding than in all later steps. ``ori_shape`` stays that of the
    file, and boxes stay in pixels of the original: ``decode_scale`` is the
    number of these per pixel of ``img``, which :class:`PersonCrop` uses.

    Required Keys: ``img_path``. Added Keys: ``img`` (h, w, 3) uint8 BGR,
    ``img_shape`` (h, w), ``ori_shape`` (H, W), ``decode_scale`` (1, 2, 4 or
    8; h and w are H and W divided by it, rounded up).

    Args:
        min_size (int): Shortest side of the original accepted, in pixels.
            Defaults to 16, one patch.
        decode_short_side (int, optional): Decode JPEGs at the smallest of 1,
            1 / 2, 1 / 4 and 1 / 8 of their size whose shorter side is still
            at least this, in pixels. None, the default, decodes them at
            full size.
        backend_args (dict, optional): MMEngine's file backend. Defaults to
            files and LMDBs.

    Raises:
        ValueError: ``decode_short_side`` is under 1.
        BadSampleError: The file is missing, not an image, truncated or too
            small; the message names it.
    """

    def __init__(
        self,
        min_size: int = 16,
        decode_short_side: int | None = None,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            imdecode_backend='pillow',
            backend_args=backend_args or dict(backend='local_or_lmdb'),
        )
        if decode_short_side is not None and decode_short_side < 1:
            raise ValueError(
                'decode_short_side must be at least 1 pixel, or None to '
                f'decode images at full size, but is {decode_short_side}'
            )
        self.min_size = min_size
        self.decode_short_side = decode_short_side

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        path = results['img_path']
        content = None
        try:
            content = self.read(path)
            image = self.decode(content)
        except FileNotFoundError:
            raise BadSampleError(
                f'{path}: no such image; expected the file that the list names'
            ) from None
        except ImportError:  # of lmdb: not the fault of the sample
            raise
        except UnidentifiedImageError:
            what = 'not an image' if content else 'empty, 0 bytes'
            raise BadSampleError(
                f'{path}: expected a readable image, but it is {what}'
            ) from None
        except Exception as error:  # decoders raise errors of any type
            raise BadSampleError(
                f'{path}: expected a readable image, but decoding failed with '
                f'{type(error).__name__}: {error}'
            ) from error
        height, width = image.ori_shape
        if min(height, width) < self.min_size:
            raise BadSampleError(
                f'{path}: the image is {width} x {height} pixels; expected at '
                f'least {self.min_size} on either side'
            )
        results['img'] = image.pixels
        results['img_shape'] = image.pixels.shape[:2]
        results['ori_shape'] = image.ori_shape
        results['decode_scale'] = image.scale
        return results

    def read(self, path: str) -> bytes:
        """Read the content of a file or of a value in an LMDB."""
        return fileio.get(path, backend_args=self.backend_args)

    def decode(self, content: bytes) -> DecodedImage:
        """Decode the content of a file."""
        return decode_scaled(content, self.decode_short_side)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(min_size={self.min_size}, '
            f'decode_short_side={self.decode_short_side}, '
            f'backend_args={self.backend_args})'
        )
