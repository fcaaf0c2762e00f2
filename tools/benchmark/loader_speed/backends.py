"""Libraries that decode JPEGs, to be compared with Pillow.

Only measured here: training decodes with Pillow, which says what is wrong
with a broken file and turns images by EXIF.
"""

import io
from abc import abstractmethod

import cv2
import mmcv
import numpy as np
from PIL import Image

from uniemox_mm.datasets import LoadEmotionImage
from uniemox_mm.datasets.decoding import (
    DecodedImage,
    decoding_scale,
    is_upright,
)

_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class _JPEGLoading(LoadEmotionImage):
    """Loads upright color JPEGs with another library, others with Pillow."""

    def decode(self, content: bytes) -> DecodedImage:
        with Image.open(io.BytesIO(content)) as header:
            width, height = header.size
            upright = is_upright(header)
            simple = (header.format, header.mode) == ('JPEG', 'RGB')
        if not (upright and simple):
            return super().decode(content)
        scale = decoding_scale(width, height, self.decode_short_side)
        pixels = self.decode_jpeg(content, scale)
        return DecodedImage(pixels, (height, width), scale)

    @abstractmethod
    def decode_jpeg(self, content: bytes, scale: int) -> np.ndarray:
        """Decodes a JPEG at 1 / ``scale`` of its size, to BGR."""


class CV2Loading(_JPEGLoading):
    """With OpenCV's own copy of libjpeg-turbo."""

    def decode_jpeg(self, content: bytes, scale: int) -> np.ndarray:
        return mmcv.imfrombytes(content, _FLAGS[scale], backend='cv2')


class TurboJPEGLoading(_JPEGLoading):
    """With PyTurboJPEG, which calls the system's libjpeg-turbo.

    Raises:
        ImportError: PyTurboJPEG is not installed.
        RuntimeError: It finds no libjpeg-turbo, or one that it is not for.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        from turbojpeg import TJPF_BGR, TurboJPEG

        self.library, self.pixel_format = TurboJPEG(), TJPF_BGR

    def decode_jpeg(self, content: bytes, scale: int) -> np.ndarray:
        return self.library.decode(
            content, self.pixel_format, scaling_factor=(1, scale)
        )


LOADERS = dict(
    pillow=LoadEmotionImage, cv2=CV2Loading, turbojpeg=TurboJPEGLoading
)


def missing(backend: str) -> str:
    """What keeps a backend from running here.

    Args:
        backend (str): A key of ``LOADERS``.

    Returns:
        str: One line, or nothing where it runs.
    """
    try:
        LOADERS[backend]()
    except ImportError as error:
        package = {'turbojpeg': 'PyTurboJPEG'}.get(error.name or '')
        return f'{package or error.name} is not installed'
    except (OSError, RuntimeError) as error:
        return str(error).partition('\n')[0]
    return ''
