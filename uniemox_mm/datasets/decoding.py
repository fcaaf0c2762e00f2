"""Decode image files to upright BGR arrays."""

import io
from typing import NamedTuple

import mmcv
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError


class DecodedImage(NamedTuple):
    """An image, possibly decoded smaller than it is.

    Attributes:
        pixels (np.ndarray): (h, w, 3) uint8, BGR, upright by EXIF; h and w
            are those of ``ori_shape`` divided by ``scale``, rounded up.
        ori_shape (tuple[int, int]): Height and width of the file's image in
            pixels, upright by EXIF.
        scale (int): 1, 2, 4 or 8.
    """

    pixels: np.ndarray
    ori_shape: tuple[int, int]
    scale: int


def is_upright(image: Image.Image) -> bool:
    """Return whether EXIF leaves the pixels as they are stored."""
    return _orientation(image) == 1


def lies_on_its_side(image: Image.Image) -> bool:
    """Return whether EXIF swaps width and height."""
    return _orientation(image) in (5, 6, 7, 8)


def _orientation(image: Image.Image) -> int:
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def to_eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit gray, which Pillow would clip to white, to 8 bits.

    Args:
        image (Image): Of any mode.

    Returns:
        Image: The same, or of mode L if it had 16 bits.
    """
    if not image.mode.startswith('I'):
        return image
    values = np.asarray(image)
    if image.mode == 'I' and (values.max() <= 255 or values.min() < 0):
        return image.convert('L')
    scaled = np.round(values.astype(np.float64) / 257).clip(0, 255)
    return Image.fromarray(scaled.astype(np.uint8))


def to_bgr(image: Image.Image) -> np.ndarray:
    """Convert an image of any mode to an array as MMCV reads it.

    Args:
        image (Image): Palette, gray of 8 or 16 bits, CMYK, with alpha (which
            is dropped) or RGB.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR, upright by EXIF.
    """
    image.load()  # some formats have their EXIF after the pixels
    # Pillow would copy the whole image where there is nothing to do.
    if not is_upright(image):
        image = ImageOps.exif_transpose(image)
    image = to_eight_bit(image)
    if image.mode != 'RGB':
        image = image.convert('RGB')
    return mmcv.rgb2bgr(np.asarray(image))


def decoding_scale(width: int, height: int, short_side: int | None) -> int:
    """Return the factor by which a JPEG may be decoded smaller.

    Args:
        width (int): Width of the file's image, in pixels.
        height (int): Height, in pixels.
        short_side (int, optional): Pixels that the shorter side must keep at
            least. None keeps all.

    Returns:
        int: The largest of 1, 2, 4 and 8 that leaves that many, 1 where the
        image is smaller anyway.
    """
    side = min(width, height)
    least = side if short_side is None else short_side
    kept = [s for s in (1, 2, 4, 8) if s <= side and -(-side // s) >= least]
    return max(kept, default=1)


def decode(content: bytes) -> np.ndarray:
    """Decode an image file as :func:`decode_scaled`, at its full size."""
    return decode_scaled(content, None).pixels


def decode_scaled(content: bytes, short_side: int | None) -> DecodedImage:
    """Decode an image file, JPEGs at a fraction of their size if allowed.

    Args:
        content (bytes): The file.
        short_side (int, optional): JPEGs are decoded at the smallest of 1,
            1 / 2, 1 / 4 and 1 / 8 of their size whose shorter side still has
            that many pixels; other formats never are. None decodes all.

    Returns:
        DecodedImage: The image.

    Raises:
        UnidentifiedImageError: The content is not an image.
        Exception: The image is broken; decoders raise errors of any type.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            scale = decoding_scale(width, height, short_side)
            if scale > 1:
                image.draft(None, (width // scale, height // scale))
                if image.size == (width, height):  # not a JPEG
                    scale = 1
            pixels = to_bgr(image)
            if lies_on_its_side(image):
                width, height = height, width
            return DecodedImage(pixels, (height, width), scale)
    except UnidentifiedImageError:
        # Pillow's own message has the address of the buffer in it.
        raise UnidentifiedImageError('not an image') from None
