"""Implementations of a pretraining pipeline, to be compared.

The decoders are only measured here: training decodes with Pillow, which
reports what is wrong with a broken file and rotates images by EXIF.
"""

import copy
import io
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import cv2
import mmcv
import numpy as np
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from uniemox_mm.datasets import LoadEmotionImage
from uniemox_mm.datasets.decoding import (
    DecodedImage,
    decoding_scale,
    is_upright,
)

SCENE, BOTH = 'scene', 'scene + person'
STEPS = ('read', 'decode', 'scene', 'person', 'pack')
_NAMES = dict(pillow='Pillow', cv2='OpenCV', turbojpeg='turbojpeg')
_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class _JPEGLoading(LoadEmotionImage):
    """Load upright color JPEGs with another library, others with Pillow."""

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
        """Decode a JPEG at 1 / ``scale`` of its size, to BGR."""


class CV2Loading(_JPEGLoading):
    """Load with OpenCV's own copy of libjpeg-turbo."""

    def decode_jpeg(self, content: bytes, scale: int) -> np.ndarray:
        return mmcv.imfrombytes(content, _FLAGS[scale], backend='cv2')


class TurboJPEGLoading(_JPEGLoading):
    """Load with PyTurboJPEG, which calls the system's libjpeg-turbo.

    Raises:
        ImportError: PyTurboJPEG is not installed.
        RuntimeError: It finds no libjpeg-turbo, or an unsuitable one.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        from turbojpeg import TJPF_BGR, TurboJPEG

        self.library, self.pixel_format = TurboJPEG(), TJPF_BGR

    def decode_jpeg(self, content: bytes, scale: int) -> np.ndarray:
        return self.library.decode(
            content, self.pixel_format, scaling_factor=(1, scale)
        )


DECODERS = dict(
    pillow=LoadEmotionImage, cv2=CV2Loading, turbojpeg=TurboJPEGLoading
)


def why_missing(decoder: str) -> str:
    """Explain why a decoder cannot run here.

    Args:
        decoder (str): A key of ``DECODERS``.

    Returns:
        str: One line, or nothing if it can.
    """
    try:
        DECODERS[decoder]()
    except ImportError as error:
        package = {'turbojpeg': 'PyTurboJPEG'}.get(error.name or '')
        return f'{package or error.name} is not installed'
    except (OSError, RuntimeError) as error:
        return str(error).partition('\n')[0]
    return ''


class Variant(NamedTuple):
    """A way to turn files into views.

    Attributes:
        decoder (str): A key of ``DECODERS``.
        scaled (bool): Whether large JPEGs are decoded smaller.
        resize (str): The backend that resizes views, 'pillow' or 'torch'.
    """

    decoder: str
    scaled: bool = False
    resize: str = 'pillow'

    @property
    def name(self) -> str:
        """Its name in tables."""
        scaled = ', scaled' if self.scaled else ''
        resize = '; torch resizes' if self.resize == 'torch' else ''
        return _NAMES[self.decoder] + scaled + resize


VARIANTS = (
    *(Variant(name, scaled) for scaled in (False, True) for name in DECODERS),
    Variant('pillow', resize='torch'),
    Variant('pillow', scaled=True, resize='torch'),
)


def with_resize(pipeline: Sequence[dict], backend: str) -> list[dict]:
    """Return a pipeline with another backend of the resizing transforms."""
    changed = copy.deepcopy(list(pipeline))
    for transform in (*changed[1]['scene'], *changed[1]['person']):
        if transform['type'] in ('FastRandomResizedCrop', 'FastResize'):
            transform['backend'] = backend
    return changed


def variant_of(pipeline: Sequence[dict], short_side: int) -> Variant | None:
    """Return the variant that a config has, or None if it is another.

    Args:
        pipeline (Sequence[dict]): The config's.
        short_side (int): What scaled decoding leaves at least, in pixels.

    Raises:
        ValueError: It is not the pipeline of a pretraining config.
    """
    types = [transform['type'] for transform in pipeline]
    if types[:2] != ['LoadEmotionImage', 'SceneAndPerson']:
        raise ValueError(
            f'the train pipeline is {" -> ".join(types)}; expected that of a '
            'pretraining config: LoadEmotionImage -> SceneAndPerson -> ...'
        )
    decoded = pipeline[0].get('decode_short_side')
    for scaled, resize in product((False, True), ('pillow', 'torch')):
        same = with_resize(pipeline, resize) == list(pipeline)
        if same and decoded == (short_side if scaled else None):
            return Variant('pillow', scaled, resize)
    return None


def timed_pipeline(
    pipeline: Sequence[dict],
    variant: Variant,
    views: str,
    short_side: int,
    seconds: dict[str, float],
) -> Compose:
    """Build a pipeline that adds up the time spent in each of its steps.

    Args:
        pipeline (Sequence[dict]): The config's.
        variant (Variant): What to change in it.
        views (str): ``BOTH``, or ``SCENE`` for the first view alone.
        short_side (int): What scaled decoding leaves at least, in pixels.
        seconds (dict[str, float]): Gets the times, by ``STEPS``.

    Returns:
        Compose: The pipeline of a dataset.
    """
    seconds.update(dict.fromkeys(STEPS, 0.0))

    def timed(step: str, function: Callable) -> Callable:
        def call(*args):
            start = time.perf_counter()
            try:
                return function(*args)
            finally:
                seconds[step] += time.perf_counter() - start

        return call

    first, second, *rest = with_resize(pipeline, variant.resize)
    options = {k: v for k, v in first.items() if k != 'type'}
    options['decode_short_side'] = short_side if variant.scaled else None
    load = DECODERS[variant.decoder](**options)
    # As attributes, so that the class's own transform calls them.
    load.__dict__.update(
        read=timed('read', load.read), decode=timed('decode', load.decode)
    )
    both = TRANSFORMS.build(second)
    both.scene = timed('scene', both.scene)
    both.person = timed('person', both.person)
    pack = Compose([TRANSFORMS.build(transform) for transform in rest])
    return Compose(
        [load, both if views == BOTH else both.scene, timed('pack', pack)]
    )
