"""Crop an image to a person."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from ..persons import check_persons

POLICIES = ('largest', 'best_score', 'random', 'union')


@TRANSFORMS.register_module()
class PersonCrop(BaseTransform):
    """Crop the image to a person, the map B of UniEmoX.

    Must come before any transform that moves pixels, since boxes are in
    pixels of the original image. Without a person the whole image stays.
    Where :class:`LoadEmotionImage` decoded the image smaller, the crop has
    all of its pixels that the box in the original touches, to within one
    pixel where the image was turned by EXIF.

    Required Keys: ``img``, ``ori_shape``, ``img_path``, ``decode_scale``
    (optional, 1 by default), ``persons`` (optional, (M, 5): x1, y1, x2, y2,
    score). Modified Keys: ``img`` (contiguous), ``img_shape``. Added Keys:
    ``person_box`` (x1, y1, x2, y2) in pixels of the original, or None.

    Args:
        policy (str): Which of several people: the ``'largest'`` box, the
            ``'best_score'``, a ``'random'`` one, or the ``'union'``, the
            smallest box around all. Ties go to the first. Defaults to
            'largest'.
        margin (float): Context to add on each side, as a fraction of the
            box's width and height, cut at the image's border. Defaults to
            0.
        min_score (float): Boxes below this score do not count. Defaults to
            0.

    Raises:
        ValueError: Unknown policy, negative margin, or an image that was
            resized or cropped after decoding.
        BadSampleError: A broken box; the message names the image.
    """

    def __init__(
        self,
        policy: str = 'largest',
        margin: float = 0.0,
        min_score: float = 0.0,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(
                f'policy of PersonCrop must be one of {POLICIES}, but is '
                f'{policy!r}'
            )
        if margin < 0:
            raise ValueError(f'margin must be at least 0, but is {margin}')
        self.policy = policy
        self.margin = margin
        self.min_score = min_score

    def transform(self, results: dict) -> dict:
        """Crop ``results['img']``."""
        image = results['img']
        height, width = results['ori_shape']
        scale = results.get('decode_scale', 1)
        decoded = (-(-height // scale), -(-width // scale))
        if image.shape[:2] != decoded:
            whole = f'original image of {(height, width)}'
            if scale > 1:
                whole += f', decoded at 1/{scale} as {decoded}'
            raise ValueError(
                f'{results["img_path"]}: PersonCrop needs the {whole}, but '
                f'gets {image.shape[:2]}: put it before the transforms that '
                'resize or crop'
            )
        persons = check_persons(
            results.get('persons', ()), results['img_path'], height, width
        )
        persons = persons[persons[:, 4] >= self.min_score]
        results['person_box'] = None
        if len(persons):
            box = self._grow(self._choose(persons), height, width)
            x1, y1 = (side // scale for side in box[:2])
            x2, y2 = (-(-side // scale) for side in box[2:])
            # Pillow is far slower on a view than on this copy.
            results['img'] = np.ascontiguousarray(image[y1:y2, x1:x2])
            results['img_shape'] = (y2 - y1, x2 - x1)
            results['person_box'] = box
        return results

    def _choose(self, persons: np.ndarray) -> np.ndarray:
        """Return the box (4,) to crop to."""
        boxes = persons[:, :4]
        if self.policy == 'union':
            return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
        if self.policy == 'random':
            return boxes[np.random.randint(len(boxes))]
        if self.policy == 'best_score':
            return boxes[persons[:, 4].argmax()]
        return boxes[(boxes[:, 2:] - boxes[:, :2]).prod(1).argmax()]

    def _grow(
        self, box: np.ndarray, height: int, width: int
    ) -> tuple[int, int, int, int]:
        """Add the margin and round outwards to whole pixels inside."""
        extra = self.margin * (box[2:] - box[:2])
        x1, y1 = np.floor((box[:2] - extra).clip(0)).astype(int)
        x2, y2 = np.ceil(box[2:] + extra).astype(int)
        return int(x1), int(y1), min(int(x2), width), min(int(y2), height)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(policy={self.policy!r}, '
            f'margin={self.margin}, min_score={self.min_score})'
        )
