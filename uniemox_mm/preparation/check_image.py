"""Check the images of a download, and scale them down."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from uniemox_mm.datasets.decoding import (
    decode,
    lies_on_its_side,
    to_eight_bit,
)

MIN_SIZE = 16  # one patch, as in LoadEmotionImage
_JPEG = ('.jpg', '.jpeg')


@dataclass
class CheckedImage:
    """An image that can be used."""

    content: bytes  # of the file, as it was or scaled down
    suffix: str  # to add to the file's name where it became a JPEG
    size: tuple[int, int]  # width and height in pixels, upright by EXIF
    original_size: tuple[int, int]  # the same, before scaling


def check_image(
    path: Path, short_side: int | None = None, quality: int = 95
) -> CheckedImage:
    """Read an image to its last byte, and scale it down if asked to.

    Images that are small enough stay as they are, byte by byte. Others are
    scaled down (JPEGs partly while decoding, which saves most of the time)
    and become upright RGB or gray JPEGs. Without ``short_side``, the upper
    bound of the shorter side in pixels, the image is only checked.

    Raises:
        ValueError: The file is missing, not an image, truncated, or under 16
            pixels on a side; the message is without the path.
    """
    if not path.is_file():
        raise ValueError('is a folder' if path.is_dir() else 'no such image')
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f'cannot be read ({error.strerror})') from None
    if not content:
        raise ValueError('the file is empty')
    try:
        with Image.open(io.BytesIO(content)) as image:
            checked = _check(image, content, short_side, quality)
    except UnidentifiedImageError:
        # Pillow's own message has the address of a buffer in it.
        raise ValueError('not an image') from None
    except ValueError:
        raise
    except Exception as error:  # decoders raise what they like
        raise _not_readable(error) from error
    if checked.content is not content and path.suffix.lower() not in _JPEG:
        checked.suffix = '.jpg'
    return checked


def _not_readable(error: Exception) -> ValueError:
    kind = type(error).__name__
    return ValueError(f'not a readable image ({kind}: {error})')


def _check(
    image: Image.Image, content: bytes, short_side: int | None, quality: int
) -> CheckedImage:
    width, height = image.size
    if min(width, height) < MIN_SIZE:
        raise ValueError(
            f'{width} x {height} pixels; expected at least {MIN_SIZE} on '
            'either side'
        )
    sideways = lies_on_its_side(image)
    original = (height, width) if sideways else (width, height)
    scale = (short_side or min(original)) / min(original)
    if scale >= 1:
        if short_side is None:  # a coarse look shows whether it is complete
            image.draft(None, (width // 8, height // 8))
        image.load()
        return CheckedImage(content, '', original, original)
    target = max(1, round(width * scale)), max(1, round(height * scale))
    if image.format != 'JPEG' and image.mode not in ('L', 'RGB'):
        # Resizing needs all of its colors; what is left is upright.
        image = to_eight_bit(ImageOps.exif_transpose(image))
        image = image if image.mode == 'L' else image.convert('RGB')
        target = target[::-1] if sideways else target
    image.thumbnail(target, Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = ImageOps.exif_transpose(image)
    if small.mode not in ('L', 'RGB'):
        small = small.convert('RGB')
    out = io.BytesIO()
    small.save(out, 'JPEG', quality=quality)
    return CheckedImage(out.getvalue(), '', small.size, original)


@dataclass
class ImageFiles(Dataset):
    """Images that are checked and hashed as they are read."""

    root: Path
    names: Sequence[str]
    # (H, W, 3) BGR pixels -> counts; needs all pixels to be decoded.
    count_colors: Callable[[np.ndarray], np.ndarray] | None = None

    def __getitem__(self, index: int) -> dict:
        """Return ``problem``, and ``sha256`` and ``colors`` if it is None."""
        try:
            content = check_image(self.root / self.names[index]).content
            counts = None
            if self.count_colors is not None:
                counts = self.count_colors(decode(content)).tolist()
        except ValueError as error:
            return dict(problem=str(error))
        except Exception as error:  # decoders raise what they like
            return dict(problem=str(_not_readable(error)))
        digest = hashlib.sha256(content).hexdigest()
        return dict(problem=None, sha256=digest, colors=counts)
