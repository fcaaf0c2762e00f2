"""Pixels from image files, in one way everywhere."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


def to_eight_bit(image: Image.Image) -> Image.Image:
    """Scales gray of 16 bit, which Pillow would clip to white, to 8.

    Args:
        image (Image): Of any mode.

    Returns:
        Image: The same, or of mode L where it was of 16 bit.
    """
    if not image.mode.startswith('I'):
        return image
    values = np.asarray(image)
    if image.mode == 'I' and (values.max() <= 255 or values.min() < 0):
        return image.convert('L')
    scaled = np.round(values.astype(np.float64) / 257).clip(0, 255)
    return Image.fromarray(scaled.astype(np.uint8))


def to_bgr(image: Image.Image) -> np.ndarray:
    """An image of any mode as MMCV has it.

    Args:
        image (Image): Palette, gray of 8 or 16 bit, CMYK, with alpha (which
            is dropped) or RGB.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR, upright by EXIF.
    """
    rgb = to_eight_bit(ImageOps.exif_transpose(image)).convert('RGB')
    return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])


def decode(content: bytes) -> np.ndarray:
    """Decodes the content of an image file, as :func:`to_bgr`.

    Raises:
        UnidentifiedImageError: It is no image.
        Exception: It is a broken one; decoders raise what they like.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return to_bgr(image)
    except UnidentifiedImageError:
        # Pillow's own message has the address of the buffer in it.
        raise UnidentifiedImageError('not an image') from None
