"""The emotion of images by a trained classifier."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import Source
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.datasets.persons import check_persons
from uniemox_mm.engine.read_config import tested_dataset
from uniemox_mm.models.detectors import PersonDetector
from uniemox_mm.models.detectors.detector_input import prepare

from .batches import classify, find_people
from .drawing import draw_results
from .load_model import check_class_names, check_classifies, load_model
from .results import to_result
from .streaming_inferencer import StreamingInferencer


class EmotionInferencer(StreamingInferencer):
    """MMPretrain's inferencer for checkpoints, folders and broken files.

    Images are read and made ready as the config's test pipeline says, so the
    scores are those of ``tools/test.py``. What cannot be read is reported in
    its own result, and the rest is answered.

    Args:
        checkpoint (str | Path | BaseModel): A checkpoint of a classifier; a
            work dir, of which the one that is best on val is taken; or a
            model of MMPretrain's ``get_model``.
        config (str | Path | Config, optional): The config that it was trained
            with, or the JSON of an export. Defaults to the one beside the
            checkpoint. The copy that a checkpoint has inside is never run.
        device (str | torch.device, optional): Defaults to the accelerator, or
            else the CPU.
        classes (Sequence[str], optional): Names of the classes. Defaults to
            what the checkpoint says, or else the config.
        detector (PersonDetector | dict | str, optional): For
            ``return_person=True``: the detector, its arguments, or its
            weights.

    Raises:
        FileNotFoundError: There is no checkpoint or config.
        ValueError: As :func:`load_model`; or it does not classify; or the
            device cannot be used; or a model in memory has no config or
            classes, or is given with a config.

    Example:
        >>> from uniemox_mm import EmotionInferencer
        >>> infer = EmotionInferencer('work_dirs/fi')  # doctest: +SKIP
        >>> infer('beach.jpg')[0]['pred_class']  # doctest: +SKIP
        'contentment'
    """

    preprocess_kwargs = {'return_person', 'persons'}
    forward_kwargs = {'return_features'}

    def __init__(
        self,
        checkpoint: str | Path | BaseModel,
        config: str | Path | Config | None = None,
        device: str | torch.device | None = None,
        classes: Sequence[str] | None = None,
        detector: PersonDetector | dict | str | Path | None = None,
    ) -> None:
        model = checkpoint
        if isinstance(model, BaseModel):
            _check_model(model, config)
        else:
            model = load_model(checkpoint, config, classes)
            check_classifies(model)
        device = device or get_device()
        try:
            model.to(device)
        except (AssertionError, RuntimeError) as error:  # torch's, by device
            raise ValueError(
                f'the device {str(device)!r} cannot be used here: {error}'
            ) from None
        super().__init__(model, pretrained=False, classes=classes)
        if self.classes is None:
            raise ValueError(
                'the model does not name its classes: give them as '
                'classes=[...]'
            )
        count = getattr(getattr(model, 'head', None), 'num_classes', None)
        self.classes = check_class_names(self.classes, count)
        if isinstance(detector, str | Path):
            detector = dict(weights=detector)
        self.detector: PersonDetector | None = (
            PersonDetector(**detector).to(device)
            if isinstance(detector, dict)
            else detector
        )

    def _init_pipeline(self, cfg: Config) -> InferencePipeline:
        return InferencePipeline.from_config(tested_dataset(cfg).pipeline)

    def preprocess(
        self,
        inputs: Sequence[Source],
        batch_size: int = 1,
        return_person: bool = False,
        persons: Sequence | None = None,
    ) -> Iterator[list[dict]]:
        """Reads images and makes them ready.

        Returns:
            Iterator[list[dict]]: Batches of ``data_samples``, with ``error``
            where an image is broken, and otherwise ``inputs`` and, for the
            detector, ``to_search``.

        Raises:
            ValueError: There is no detector, or not one entry of ``persons``
                for each image.
        """
        if persons is not None and len(persons) != len(inputs):
            raise ValueError(
                f'persons has boxes for {len(persons)} images, but there are '
                f'{len(inputs)}'
            )
        search = None
        if return_person and persons is None:
            if self.detector is None:
                raise ValueError(_NO_DETECTOR)
            search = self.detector.pipeline
        boxes = [None] * len(inputs) if persons is None else persons
        ready = (
            self._prepare(source, given, search)
            for source, given in zip(inputs, boxes, strict=True)
        )
        return self._get_chunk_data(ready, batch_size)

    def _prepare(self, source: Source, boxes: Any, search: Any) -> dict:
        """Preprocess an image, and check its boxes or what is searched."""
        item = self.pipeline(source)
        loaded, sample = item.pop('loaded', None), item['data_samples']
        if loaded is None:
            return item
        try:
            if boxes is not None:
                known = check_persons(boxes, source.name, *loaded['ori_shape'])
                sample.set_field(torch.from_numpy(known), 'persons')
            elif search is not None:
                smaller = loaded.get('decode_scale', 1) != 1
                read = self.pipeline.read.whole
                whole = read(source) if smaller else loaded['img']
                item['to_search'] = prepare(search, whole)
        except BadSampleError as error:
            sample.set_metainfo(dict(error=str(error)))
        except ValueError as error:
            sample.set_metainfo(dict(error=f'{source.name}: {error}'))
        return item

    @torch.no_grad()
    def forward(
        self, inputs: list[dict], return_features: bool = False
    ) -> list[DataSample]:
        """Runs the classifier, and the detector where it has something to do.

        Args:
            inputs (list[dict]): A batch of :meth:`preprocess`.
            return_features (bool): Whether to keep the backbone's.

        Returns:
            list[DataSample]: With ``pred_score``, ``pred_label``, ``persons``
            and ``features``, or with ``error``.
        """
        good = [item for item in inputs if 'inputs' in item]
        if good:
            samples = classify(self.model, good, return_features)
            find_people(self.detector, good, samples)
            answered = iter(samples)
        return [
            next(answered) if 'inputs' in item else item['data_samples']
            for item in inputs
        ]

    def visualize(
        self,
        ori_inputs: list[Source],
        preds: list[DataSample],
        show: bool = False,
        show_dir: str | Path | None = None,
        **settings,
    ) -> list[np.ndarray | None] | None:
        """Draws the results, where they are to be shown or written.

        Returns:
            list[np.ndarray | None], optional: As of :func:`draw_results`;
            None where nothing is to be drawn.
        """
        if not show and show_dir is None:
            return None
        visualizer = UniversalVisualizer()
        pictures = draw_results(
            visualizer,
            ori_inputs,
            preds,
            self.pipeline.read.whole,
            self.classes,
            show=show,
            show_dir=show_dir,
            **settings,
        )
        if show:
            visualizer.close()
        return pictures

    def postprocess(
        self,
        preds: list[DataSample],
        visualization: list[np.ndarray | None] | None = None,
        return_datasamples: bool = False,
    ) -> list[dict] | list[DataSample]:
        """Turns data samples into plain dicts, as :meth:`__call__` says."""
        if return_datasamples:
            return preds
        return [to_result(sample, self.classes) for sample in preds]


def _check_model(model: BaseModel, config: object) -> None:
    """Refuses a model in memory whose preparation is unclear."""
    if config is not None:
        raise ValueError(
            'config=... goes with a checkpoint: a model has its own, as '
            'model._config'
        )
    if not hasattr(model, '_config'):
        raise ValueError(
            'the model has no config, which says how images are made ready: '
            "take one of mmpretrain's get_model, or set model._config = "
            'Config.fromfile(...)'
        )


_NO_DETECTOR = (
    'return_person=True needs a detector or boxes: EmotionInferencer(..., '
    "detector='yolov3.pth'), which is a checkpoint or a name of MMDetection's "
    'index, or persons=[...]'
)
