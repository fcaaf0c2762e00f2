"""MMPretrain's ``RandomResizedCrop`` with less overhead."""

from mmpretrain.datasets.transforms import RandomResizedCrop
from mmpretrain.registry import TRANSFORMS

from .fast_resize import check_backend, fast_resize


@TRANSFORMS.register_module()
class FastRandomResizedCrop(RandomResizedCrop):
    """MMPretrain's ``RandomResizedCrop``: the same pixels, faster.

    Keys, arguments and random draws are those of ``RandomResizedCrop``;
    resizing is that of :class:`FastResize`.

    Args:
        *args: Those of ``RandomResizedCrop``.
        backend (str): 'cv2', 'pillow' or 'torch'. Defaults to 'cv2'.
        **kwargs: Those of ``RandomResizedCrop``.

    Raises:
        ValueError: Unknown backend, or one without the interpolation.
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
