"""From a source to what the model and the detector take."""

from collections.abc import Callable
from typing import Any

import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import Source, SourceReader
from uniemox_mm.datasets.persons import check_persons
from uniemox_mm.models.detectors.detector_input import prepare


class Preparation:
    """A test pipeline that takes any source and answers for broken ones.

    Args:
        load (Callable): What reads files: the pipeline's first transform.
        steps (Callable): The rest of it, from ``img`` (H, W, 3) uint8 BGR
            to ``inputs`` and ``data_samples``.
    """

    def __init__(
        self, load: Callable[[dict], dict], steps: Callable[[dict], dict]
    ) -> None:
        self.read = SourceReader(load)
        self.steps = steps

    @classmethod
    def from_config(cls, pipeline: list[dict]) -> 'Preparation':
        """Builds the one of a config.

        Raises:
            ValueError: It does not begin with reading a file.
        """
        transforms = [TRANSFORMS.build(step) for step in pipeline]
        if not transforms or not isinstance(transforms[0], LoadImageFromFile):
            raise ValueError(
                'expected a test pipeline that begins with LoadEmotionImage '
                'or LoadImageFromFile, but got '
                f'{[step.get("type") for step in pipeline]}'
            )
        return cls(transforms[0], Compose(transforms[1:]))

    def __call__(
        self, source: Source, boxes: Any = None, search: Any = None
    ) -> dict:
        """Makes an image ready.

        Args:
            source (Source): The image.
            boxes (object, optional): Its known people, as rows of x1, y1, x2,
                y2, score.
            search (Compose, optional): The pipeline of the detector that is
                to find them.

        Returns:
            dict: ``data_samples`` with ``name``, ``img_path`` and, where
            something is wrong, ``error``; ``inputs`` unless the image is
            broken; ``to_search`` for the detector.
        """
        try:
            results = self.read(source)
            height, width = results['ori_shape']
            scale = results.get('decode_scale', 1)
            image = results['img']
            item = self._run(source, results)
        except BadSampleError as error:
            broken = DataSample(metainfo=dict(error=str(error)))
            item = dict(data_samples=broken)
        sample = item['data_samples']
        sample.set_metainfo(dict(name=source.name, img_path=source.path))
        if 'inputs' not in item:
            return item
        try:
            if boxes is not None:
                known = check_persons(boxes, source.name, height, width)
                sample.set_field(torch.from_numpy(known), 'persons')
            elif search is not None:
                whole = image if scale == 1 else self.read.whole(source)
                item['to_search'] = prepare(search, whole)
        except BadSampleError as error:
            sample.set_metainfo(dict(error=str(error)))
        except ValueError as error:
            sample.set_metainfo(dict(error=f'{source.name}: {error}'))
        return item

    def _run(self, source: Source, results: dict) -> dict:
        height, width = results['ori_shape']
        try:
            return self.steps(results)
        except Exception as error:  # transforms raise what they like
            raise BadSampleError(
                f'{source.name}: an image of {width} x {height} pixels cannot '
                f'be made ready ({type(error).__name__}: {error})'
            ) from error
