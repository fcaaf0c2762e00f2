"""Checks images and makes them smaller."""

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from uniemox_mm.datasets.decoding import lies_on_its_side, to_eight_bit

MIN_SIZE = 16  # one patch, as LoadEmotionImage has it
_JPEG = ('.jpg', '.jpeg')


@dataclass
class CheckedImage:
    """An image that can be used.

    Attributes:
        content (bytes): The file, as it was or made smaller.
        suffix (str): What to add to the file's name, since it is JPEG now.
        size (tuple[int, int]): Width and height in pixels, upright by EXIF.
        original_size (tuple[int, int]): The same, before.
    """

    content: bytes
    suffix: str
    size: tuple[int, int]
    original_size: tuple[int, int]


def check_image(
    path: Path, short_side: int | None, quality: int
) -> CheckedImage:
    """Reads an image to its last byte, and makes it smaller if asked to.

    Small enough images stay as they are, byte by byte. Others are scaled
    down (for JPEG partly while decoding, which saves most of the time) and
    become upright RGB or gray JPEG.

    Args:
        path (Path): The file.
        short_side (int, optional): Upper bound of the shorter side in
            pixels; None checks only.
        quality (int): Of the JPEG, 1 to 95.

    Returns:
        CheckedImage: The image.

    Raises:
        ValueError: It is not there, not an image, cut off, or under 16
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
        raise ValueError(
            f'not a readable image ({type(error).__name__}: {error})'
        ) from error
    if checked.content is not content and path.suffix.lower() not in _JPEG:
        checked.suffix = '.jpg'
    return checked


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
        if short_side is None:  # only to see that it is whole: a coarse look
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
