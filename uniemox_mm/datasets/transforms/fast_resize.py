"""MMCV's ``Resize`` and MMPretrain's ``RandomResizedCrop``, faster."""

import mmcv
import numpy as np
import torch
from mmcv.transforms import Resize
from mmpretrain.datasets.transforms import RandomResizedCrop
from mmpretrain.registry import TRANSFORMS
from torch.nn.functional import interpolate

BACKENDS = ('cv2', 'pillow', 'torch')
_IN_TORCH = ('bilinear', 'bicubic')


@TRANSFORMS.register_module()
class FastResize(Resize):
    """MMCV's ``Resize``: the same pixels, faster.

    Keys and arguments are those of ``Resize``. Two things differ: views of
    larger images are copied first, row by row, since Pillow reads them pixel
    by pixel, and there is the backend 'torch'.

    Args:
        *args: Those of ``Resize``.
        backend (str): 'cv2', 'pillow', or 'torch': Pillow's antialiased
            'bilinear' or 'bicubic' in 16 bits, several times as fast; a few
            values differ by 1 of 255. Defaults to 'cv2'.
        **kwargs: Those of ``Resize``.

    Raises:
        ValueError: Unknown backend, or one without the interpolation.
    """

    def __init__(self, *args, backend: str = 'cv2', **kwargs) -> None:
        super().__init__(*args, backend=backend, **kwargs)
        check_backend(self.backend, self.interpolation)

    def _resize_img(self, results: dict) -> None:
        """Resize ``results['img']``, as MMCV's method of this name."""
        image = results['img']
        height, width = image.shape[:2]
        size = tuple(results['scale'])
        if self.keep_ratio:
            size = mmcv.rescale_size((width, height), size)
        resized = fast_resize(image, size, self.interpolation, self.backend)
        results['img'] = resized
        results['img_shape'] = resized.shape[:2]
        results['scale_factor'] = (size[0] / width, size[1] / height)
        results['keep_ratio'] = self.keep_ratio


@TRANSFORMS.register_module()
class FastRandomResizedCrop(RandomResizedCrop):
    """MMPretrain's ``RandomResizedCrop``: the same pixels, faster.

    Keys, arguments and random draws are those of ``RandomResizedCrop``;
    resizing and errors are those of :class:`FastResize`.

    Args:
        *args: Those of ``RandomResizedCrop``.
        backend (str): 'cv2', 'pillow' or 'torch'. Defaults to 'cv2'.
        **kwargs: Those of ``RandomResizedCrop``.
    """

    def __init__(self, *args, backend: str = 'cv2', **kwargs) -> None:
        super().__init__(*args, backend=backend, **kwargs)
        check_backend(self.backend, self.interpolation)

    def transform(self, results: dict) -> dict:
        """Crop and resize ``results['img']``."""
        image = results['img']
        y, x, height, width = self.rand_crop_params(image)
        resized = fast_resize(
            image[y : y + height, x : x + width],
            tuple(self.scale[::-1]),
            self.interpolation,
            self.backend,
        )
        results['img'] = resized
        results['img_shape'] = resized.shape
        return results


def fast_resize(
    image: np.ndarray,
    size: tuple[int, int],
    interpolation: str,
    backend: str,
) -> np.ndarray:
    """Resize (H, W, 3) uint8 to ``size``, width and height in pixels."""
    image = np.ascontiguousarray(image)
    if backend != 'torch':
        return mmcv.imresize(
            image, size, interpolation=interpolation, backend=backend
        )
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    (resized,) = interpolate(
        planes, size[::-1], mode=interpolation, antialias=True
    )
    # A view of three planes, which PackInputs need not copy again.
    return resized.permute(1, 2, 0).numpy()


def check_backend(backend: str, interpolation: str) -> None:
    """Refuse a backend or interpolation that :func:`fast_resize` lacks."""
    if backend not in BACKENDS:
        raise ValueError(
            f'backend must be one of {BACKENDS}, but is {backend!r}'
        )
    if backend == 'torch' and interpolation not in _IN_TORCH:
        raise ValueError(
            f"interpolation of the backend 'torch' must be one of "
            f'{_IN_TORCH}, but is {interpolation!r}'
        )
