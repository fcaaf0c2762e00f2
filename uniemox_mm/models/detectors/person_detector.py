"""Find the people in images."""

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.model import BaseModule
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from PIL import Image

from uniemox_mm.datasets.image_sources import ImageLike, read_image

from .load_detector import load_detector, set_thresholds

# MMDetection's YOLOv3, Darknet-53, trained and run at 416 pixels.
DEFAULT = 'yolov3_d53_mstrain-416_273e_coco'
# Images that a CPU takes at a time: more do not fit its caches.
_ON_CPU = 4


@MODELS.register_module()
class PersonDetector(BaseModule):
    """Any detector of MMDetection, as a finder of people.

    By default YOLOv3 as the authors of UniEmoX ran it: 416 x 416 pixels,
    confidence 0.8, non-maximum suppression at an IoU of 0.4. The detector is
    frozen and always in eval mode.

    Images are resized and padded as the detector's config says. Those that
    have the same padded shape run as one batch, so that an image gets the
    boxes that it would get alone.

    Args:
        weights (str | Path): A checkpoint, the name of a model in
            MMDetection's index, which is downloaded once, or an address.
        config (str | Path | dict, optional): The detector's config: a file,
            a name in MMDetection's index, or a config. Defaults to the one
            that belongs to ``weights`` where that is a name, else to YOLOv3
            at 416.
        confidence (float, optional): For YOLOv3 the objectness from which a
            box counts, if its class score is over 0.5 as well; for other
            detectors the score. None keeps what the config says. Defaults to
            0.8.
        iou_threshold (float, optional): Of two boxes over this IoU the
            better one stays. None keeps what the config says. Defaults to
            0.4.
        category (str): The class to find. Defaults to 'person'.
        batch_size (int): Images at a time. Defaults to 32.

    Raises:
        ImportError: MMDetection is not installed.
        FileNotFoundError: No such config or weights, or no weights given.
        ValueError: The weights do not fit, a threshold is outside [0, 1], or
            the detector does not know the category.

    Example:
        >>> detector = PersonDetector('yolov3.pth').to('cuda')  # doctest: +SKIP
        >>> detector(['a.jpg', 'b.jpg'])[0]  # doctest: +SKIP
        array([[ 12. ,  30.5,  80. , 199. ,  0.97]], dtype=float32)
    """  # noqa: E501

    def __init__(
        self,
        weights: str | Path | None = None,
        config: str | Path | dict | None = None,
        confidence: float | None = 0.8,
        iou_threshold: float | None = 0.4,
        category: str = 'person',
        batch_size: int = 32,
    ) -> None:
        super().__init__()
        for name, value in (
            ('confidence', confidence),
            ('iou_threshold', iou_threshold),
        ):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], but is {value}')
        loaded = load_detector(weights, config, DEFAULT)
        names = [name.lower() for name in loaded.classes]
        if category.lower() not in names:
            raise ValueError(
                f'the detector of {loaded.provenance["config"]} does not know '
                f'{category!r}; its classes are {", ".join(loaded.classes)}'
            )
        self.label = names.index(category.lower())
        self.batch_size = batch_size
        self.detector: Any = loaded.model.requires_grad_(False).to(
            memory_format=torch.channels_last  # 1.4 times as fast on a CPU
        )
        self.min_score = set_thresholds(
            self.detector, confidence, iou_threshold
        )
        self.pipeline = _build_pipeline(loaded.config)
        self.provenance = dict(
            **loaded.provenance,
            confidence=confidence,
            iou_threshold=iou_threshold,
            category=category,
        )
        self.eval()

    @property
    def device(self) -> torch.device:
        """Device of the detector."""
        return next(self.detector.parameters()).device

    def forward(self, images: Sequence[ImageLike]) -> list[np.ndarray]:
        """Find the people in images of any size and mode.

        Args:
            images (Sequence): Paths, Pillow images, or arrays as MMCV reads
                them: uint8, BGR, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

        Returns:
            list[np.ndarray]: For each image (M, 5) float32, best first: x1,
            y1, x2, y2 in pixels of the image (upright by EXIF, where it is
            not an array), inside it and at least one pixel wide and high,
            and the score. M may be 0.
        """
        if isinstance(images, str | Path | Image.Image | np.ndarray):
            raise TypeError(
                f'expected a list of images, but got one {type(images)}: put '
                'it into a list'
            )
        boxes: list[np.ndarray] = []
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            boxes += self.detect(
                [prepare(self.pipeline, read_image(image)) for image in batch]
            )
        return boxes

    def _apply(self, fn: Callable, recurse: bool = True) -> 'PersonDetector':
        super()._apply(fn, recurse)
        # MMEngine's preprocessors only follow a .to() of their own model.
        self.detector._set_device(self.device)
        return self

    @torch.no_grad()
    def detect(self, prepared: Sequence[dict]) -> list[np.ndarray]:
        """Run the detector on images that :func:`prepare` preprocessed.

        Args:
            prepared (Sequence[dict]): Each with ``inputs`` (3, h, w) and
                ``data_samples``.

        Returns:
            list[np.ndarray]: As :meth:`forward`.
        """
        divisor = getattr(
            self.detector.data_preprocessor, 'pad_size_divisor', 1
        )
        groups: dict[tuple, list[int]] = defaultdict(list)
        for i, image in enumerate(prepared):
            height, width = image['inputs'].shape[-2:]
            groups[-(-height // divisor), -(-width // divisor)].append(i)
        on_cpu = self.device.type == 'cpu'
        step = min(self.batch_size, _ON_CPU) if on_cpu else self.batch_size
        boxes: dict[int, np.ndarray] = {}
        for group in groups.values():
            for start in range(0, len(group), step):
                part = group[start : start + step]
                results = self.detector.test_step(
                    dict(
                        inputs=[prepared[i]['inputs'] for i in part],
                        data_samples=[
                            prepared[i]['data_samples'] for i in part
                        ],
                    )
                )
                boxes.update(
                    (i, self._people(result))
                    for i, result in zip(part, results, strict=True)
                )
        return [boxes[i] for i in range(len(prepared))]

    def train(self, mode: bool = True) -> 'PersonDetector':
        """Stay in eval mode."""
        return super().train(False)

    def init_weights(self) -> None:
        """Keep the loaded weights."""

    def _people(self, result: Any) -> np.ndarray:
        found = result.pred_instances
        chosen = (found.labels == self.label) & (
            found.scores >= self.min_score
        )
        boxes = torch.cat(
            [found.bboxes[chosen], found.scores[chosen, None]], 1
        )
        boxes = boxes[boxes[:, 4].argsort(descending=True, stable=True)]
        people = boxes.float().cpu().numpy()
        height, width = result.ori_shape
        people[:, 0:4:2] = people[:, 0:4:2].clip(0, width)
        people[:, 1:4:2] = people[:, 1:4:2].clip(0, height)
        # What is left of a box beside the image is nothing to crop.
        return people[(people[:, 2:4] - people[:, :2] >= 1).all(1)]


def prepare(pipeline: Any, image: np.ndarray) -> dict:
    """Resize and pack an image for :meth:`PersonDetector.detect`.

    A function of its own, so that the workers of a data loader can run it
    without the detector.

    Args:
        pipeline (Compose): :attr:`PersonDetector.pipeline`.
        image (np.ndarray): (H, W, 3) uint8, BGR.

    Raises:
        ValueError: The pipeline fails, as at a shape that has no pixel left
            on one side when it is made smaller.
    """
    try:
        return pipeline(dict(img=image, img_id=0))
    except Exception as error:
        height, width = image.shape[:2]
        raise ValueError(
            f'an image of {width} x {height} pixels cannot be preprocessed '
            f'for the detector ({type(error).__name__}: {error})'
        ) from error


def _build_pipeline(config: Any) -> Any:
    """Build the detector's test pipeline, starting from an array."""
    from mmdet.utils import get_test_pipeline_cfg

    steps = copy.deepcopy(get_test_pipeline_cfg(config))
    steps[0] = dict(type='mmdet.LoadImageFromNDArray')
    with DefaultScope.overwrite_default_scope(
        config.get('default_scope', 'mmdet')
    ):
        return Compose(steps)
