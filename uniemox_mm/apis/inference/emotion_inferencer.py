"""The emotion of images by a trained classifier."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmpretrain import ImageClassificationInferencer
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer
from tqdm import tqdm

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.models.detectors import PersonDetector

from .batches import classify, find_people
from .drawing import draw_results
from .preparation import Preparation
from .results import to_result
from .sources import Source, is_one_image, list_sources
from .trained_classifier import load_trained_classifier, tested_dataset

# More images than this get a progress bar.
_FEW = 100


class EmotionInferencer(ImageClassificationInferencer):
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
        ValueError: As :func:`load_trained_classifier`, or the device cannot
            be used.

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
        if not isinstance(model, BaseModel):
            model = load_trained_classifier(checkpoint, config, classes)
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
        if isinstance(detector, str | Path):
            detector = dict(weights=detector)
        self.detector: PersonDetector | None = (
            PersonDetector(**detector).to(device)
            if isinstance(detector, dict)
            else detector
        )

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 32,
        on_error: str | None = None,
        **kwargs,
    ) -> list[dict] | list[DataSample]:
        """Finds the emotions of images.

        Args:
            inputs (str | Path | np.ndarray | Image | list): An image: a path,
                an array as MMCV reads it (uint8, BGR, (H, W), (H, W, 1),
                (H, W, 3) or (H, W, 4)), or a Pillow image; a folder, of which
                all images are taken, sorted, with all that is below it; or a
                list of any of these.
            return_datasamples (bool): Whether to return MMPretrain's
                ``DataSample`` for each image. Defaults to False.
            batch_size (int): Images at a time. Defaults to 32.
            on_error (str, optional): 'raise' stops at the first image that
                cannot be used, 'report' says so in its result. Defaults to
                'raise' where ``inputs`` is one image, and to 'report' for
                lists and folders.
            return_person (bool): Whether to find people. Defaults to False.
            persons (Sequence, optional): Known boxes instead of a detector:
                for each image rows of x1, y1, x2, y2, score in its pixels.
            return_features (bool): Whether to return what the backbone gives,
                averaged over the image. Defaults to False.
            **kwargs: ``show_dir`` and the other arguments on drawing of
                MMPretrain's inferencer.

        Returns:
            list[dict]: For each image ``path`` (None for arrays),
            ``pred_class``, ``pred_label`` (its number), ``pred_score``,
            ``pred_scores`` ((K,) float32), ``scores`` (class name -> score);
            where asked for ``persons`` ((M, 5) float32: x1, y1, x2, y2 in
            pixels of the upright image, score; best first) and ``features``
            ((C,) float32). ``error`` is there where anything that was asked
            for is not; it names the image.

        Raises:
            BadSampleError: An image cannot be used, by ``on_error``.
            ValueError: An argument is unknown or cannot be.
        """
        if on_error not in (None, 'raise', 'report'):
            raise ValueError(
                f"on_error must be 'raise' or 'report', but is {on_error!r}"
            )
        if batch_size < 1:
            raise ValueError(f'batch_size must be positive: {batch_size}')
        for_input, for_model, for_drawing, _ = self._dispatch_kwargs(**kwargs)
        sources = self._inputs_to_list(inputs)
        raising = on_error == 'raise'
        if on_error is None:
            raising = is_one_image(inputs, sources)
        samples: list[DataSample] = []
        with tqdm(
            desc='emotions',
            unit='img',
            total=len(sources),
            disable=len(sources) <= _FEW,
        ) as bar:
            for batch in self.preprocess(sources, batch_size, **for_input):
                for sample in self.forward(batch, **for_model):
                    if raising and 'error' in sample:
                        raise BadSampleError(sample.error)
                    samples.append(sample)
                bar.update(len(batch))
        self.visualize(sources, samples, **for_drawing)
        return self.postprocess(samples, None, return_datasamples)

    def _inputs_to_list(self, inputs: Any) -> list[Source]:
        return list_sources(inputs)

    def _init_pipeline(self, cfg: Config) -> Preparation:
        return Preparation.from_config(tested_dataset(cfg).pipeline)

    def preprocess(
        self,
        inputs: Sequence[Source],
        batch_size: int = 1,
        return_person: bool = False,
        persons: Sequence | None = None,
    ) -> Iterator[list[dict]]:
        """Reads images and makes them ready.

        Returns:
            Iterator[list[dict]]: Batches of what :class:`Preparation` gives.

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
            self.pipeline(source, given, search)
            for source, given in zip(inputs, boxes, strict=True)
        )
        return self._get_chunk_data(ready, batch_size)

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
    ) -> None:
        """Draws the results, where they are to be shown or written."""
        if not show and show_dir is None:
            return
        visualizer = UniversalVisualizer()
        draw_results(
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

    def postprocess(
        self,
        preds: list[DataSample],
        visualization: None = None,
        return_datasamples: bool = False,
    ) -> list[dict] | list[DataSample]:
        """Turns data samples into plain dicts, as :meth:`__call__` says."""
        if return_datasamples:
            return preds
        return [to_result(sample, self.classes) for sample in preds]


_NO_DETECTOR = (
    'return_person=True needs a detector or boxes: EmotionInferencer(..., '
    "detector='yolov3.pth'), which is a checkpoint or a name of MMDetection's "
    'index, or persons=[...]'
)
