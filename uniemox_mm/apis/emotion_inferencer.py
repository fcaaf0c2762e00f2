"""Predict the emotions of images with a trained classifier."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmpretrain import ImageClassificationInferencer
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer
from PIL import Image, ImageDraw
from tqdm import tqdm

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import (
    Source,
    is_one_image,
    list_sources,
)
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.datasets.persons import check_persons
from uniemox_mm.engine.read_config import tested_dataset
from uniemox_mm.evaluation.features import pooled
from uniemox_mm.models.detectors import PersonDetector
from uniemox_mm.models.detectors.person_detector import prepare

from .load_model import check_class_names, check_classifies, load_model

# With more images than this there is a progress bar.
_FEW = 100


class EmotionInferencer(ImageClassificationInferencer):
    """MMPretrain's inferencer for checkpoints, folders and broken files.

    Images are read and preprocessed as the config's test pipeline says, so
    the scores are those of ``tools/test.py``. Each image gets its result as
    soon as its batch is done; an image that cannot be read is reported in its
    own result. :meth:`visualize` and :meth:`postprocess` are called for each
    batch, so that no image or picture has to be kept until the last one.

    Args:
        checkpoint (str | Path | BaseModel): A checkpoint of a classifier; a
            work dir, of which the one that is best on val is taken; or a
            model of MMPretrain's ``get_model``.
        config (str | Path | Config, optional): The config that it was trained
            with, or the JSON of an export. Defaults to the one beside the
            checkpoint. The copy inside a checkpoint is never run.
        device (str | torch.device, optional): Defaults to the accelerator, or
            else the CPU.
        classes (Sequence[str], optional): Names of the classes. Defaults to
            those that the checkpoint names, or else the config.
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

    classes: tuple[str, ...]
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

    def _inputs_to_list(self, inputs: Any) -> list[Source]:
        return list_sources(inputs)

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 32,
        on_error: str | None = None,
        **kwargs,
    ) -> list[dict] | list[DataSample]:
        """Predict the emotions of images.

        Args:
            inputs (str | Path | np.ndarray | Image | list): An image: a path,
                an array as MMCV reads it (uint8, BGR, (H, W), (H, W, 1),
                (H, W, 3) or (H, W, 4)), or a Pillow image; a folder, of which
                all images are taken, sorted, with those in subfolders; or a
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
            return_features (bool): Whether to return the output of the
                backbone, averaged over the image. Defaults to False.
            **kwargs: ``show_dir`` and the other arguments on drawing of
                MMPretrain's inferencer.

        Returns:
            list[dict]: For each image ``path`` (None for arrays),
            ``pred_class``, ``pred_label`` (its number), ``pred_score``,
            ``pred_scores`` ((K,) float32), ``scores`` (class name -> score);
            where asked for ``persons`` ((M, 5) float32: x1, y1, x2, y2 in
            pixels of the upright image, score; best first) and ``features``
            ((C,) float32). ``error`` is there where anything that was asked
            for is missing; it names the image.

        Raises:
            BadSampleError: An image cannot be used, by ``on_error``.
            ValueError: An argument is unknown or invalid.
        """
        return list(
            self.iterate(
                inputs, return_datasamples, batch_size, on_error, **kwargs
            )
        )

    def iterate(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 32,
        on_error: str | None = None,
        **kwargs,
    ) -> Iterator[Any]:
        """Yield the results of :meth:`__call__`, one after the other.

        It takes the same arguments, and checks them at once.

        Returns:
            Iterator[dict | DataSample]: The results, each as soon as its
            batch is done.
        """
        if on_error not in (None, 'raise', 'report'):
            raise ValueError(
                f"on_error must be 'raise' or 'report', but is {on_error!r}"
            )
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise ValueError(
                'batch_size must be a whole number of images, at least 1, '
                f'but is {batch_size!r}'
            )
        settings = self._dispatch_kwargs(**kwargs)
        sources = self._inputs_to_list(inputs)
        raising = on_error == 'raise'
        if on_error is None:
            raising = is_one_image(inputs, sources)
        batches = self.preprocess(sources, int(batch_size), **settings[0])
        return self._predict(
            sources, batches, raising, return_datasamples, *settings[1:]
        )

    def _predict(
        self,
        sources: list[Source],
        batches: Iterator[list[dict]],
        raising: bool,
        return_datasamples: bool,
        for_model: dict,
        for_drawing: dict,
        for_results: dict,
    ) -> Iterator[Any]:
        rest = iter(sources)
        with tqdm(
            desc='emotions',
            unit='img',
            total=len(sources),
            disable=len(sources) <= _FEW,
        ) as bar:
            for batch in batches:
                samples = self.forward(batch, **for_model)
                for sample in samples:
                    if raising and 'error' in sample:
                        raise BadSampleError(sample.error)
                drawn = self.visualize(
                    [next(rest) for _ in batch], samples, **for_drawing
                )
                bar.update(len(batch))
                yield from self.postprocess(
                    samples, drawn, return_datasamples, **for_results
                )

    def preprocess(
        self,
        inputs: Sequence[Source],
        batch_size: int = 1,
        return_person: bool = False,
        persons: Sequence | None = None,
    ) -> Iterator[list[dict]]:
        """Read and preprocess images.

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
                raise ValueError(
                    'return_person=True needs a detector or boxes: '
                    "EmotionInferencer(..., detector='yolov3.pth'), which is "
                    "a checkpoint or a name of MMDetection's index, or "
                    'persons=[...]'
                )
            search = self.detector.pipeline
        boxes = [None] * len(inputs) if persons is None else persons
        items = (
            self._preprocess_one(source, known, search)
            for source, known in zip(inputs, boxes, strict=True)
        )
        return self._get_chunk_data(items, batch_size)

    def _preprocess_one(self, source: Source, boxes: Any, search: Any) -> dict:
        item = self.pipeline(source)
        loaded, sample = item.pop('loaded', None), item['data_samples']
        if loaded is None:
            return item
        try:
            if boxes is not None:
                known = check_persons(boxes, source.name, *loaded['ori_shape'])
                sample.set_field(torch.from_numpy(known), 'persons')
            elif search is not None:
                image = loaded['img']
                if loaded.get('decode_scale', 1) != 1:
                    image = self.pipeline.read.whole(source)
                item['to_search'] = prepare(search, image)
        except BadSampleError as error:
            sample.set_metainfo(dict(error=str(error)))
        except ValueError as error:
            sample.set_metainfo(dict(error=f'{source.name}: {error}'))
        return item

    @torch.no_grad()
    def forward(
        self, inputs: list[dict], return_features: bool = False
    ) -> list[DataSample]:
        """Run the classifier, and the detector where there is a search.

        Args:
            inputs (list[dict]): A batch of :meth:`preprocess`.
            return_features (bool): Whether to keep the backbone's.

        Returns:
            list[DataSample]: With ``pred_score``, ``pred_label``, ``persons``
            and ``features``, these on the CPU, or with ``error``, as where
            scores are NaN or Inf.
        """
        good = [item for item in inputs if 'inputs' in item]
        samples = self._classify(good, return_features) if good else []
        searched = [
            (item['to_search'], sample)
            for item, sample in zip(good, samples, strict=True)
            if 'to_search' in item
        ]
        if searched and self.detector is not None:
            found = self.detector.detect([image for image, _ in searched])
            for (_, sample), boxes in zip(searched, found, strict=True):
                sample.set_field(torch.from_numpy(boxes), 'persons')
        rest = iter(samples)
        return [
            next(rest) if 'inputs' in item else item['data_samples']
            for item in inputs
        ]

    def _classify(
        self, items: Sequence[dict], return_features: bool
    ) -> list[DataSample]:
        model, keys = self.model, ('inputs', 'data_samples')
        batch = default_collate([{k: item[k] for k in keys} for item in items])
        if not return_features:
            return [_checked(sample) for sample in model.test_step(batch)]
        data = model.data_preprocessor(batch, training=False)
        stages = model.extract_feat(data['inputs'], stage='backbone')
        features = pooled(stages)
        if model.with_neck:
            stages = model.neck(stages)
        samples = model.head.predict(stages, data['data_samples'])
        for sample, vector in zip(samples, features, strict=True):
            sample.set_field(vector, 'features')
        return [_checked(sample) for sample in samples]

    def visualize(
        self,
        ori_inputs: list[Source],
        preds: list[DataSample],
        show: bool = False,
        show_dir: str | Path | None = None,
        **settings,
    ) -> list[np.ndarray | None] | None:
        """Draw emotion and people, if they are to be shown or written.

        Returns:
            list[np.ndarray | None], optional: Each image as drawn, (H, W, 3)
            uint8 RGB, or None where it has no emotion; None where nothing is
            to be drawn. Files are named ``<show_dir>/<drawing>.png``.
        """
        if not show and show_dir is None:
            return None
        if show_dir is not None:
            Path(show_dir).mkdir(parents=True, exist_ok=True)
        visualizer = UniversalVisualizer()
        pictures: list[np.ndarray | None] = []
        for source, sample in zip(ori_inputs, preds, strict=True):
            if 'pred_score' not in sample:
                pictures.append(None)
                continue
            image = self.pipeline.read.whole(source)[..., ::-1]
            name = source.drawing
            visualizer.visualize_cls(
                draw_boxes(image, sample.get('persons')),
                sample,
                classes=self.classes,
                draw_gt=False,
                show=show,
                name=name,
                out_file=show_dir and str(Path(show_dir) / f'{name}.png'),
                **settings,
            )
            pictures.append(visualizer.get_image())
        if show:
            visualizer.close()
        return pictures

    def postprocess(
        self,
        preds: list[DataSample],
        visualization: list[np.ndarray | None] | None = None,
        return_datasamples: bool = False,
    ) -> list[dict] | list[DataSample]:
        """Turn data samples into plain dicts, as :meth:`__call__` says."""
        if return_datasamples:
            return preds
        return [_to_result(sample, self.classes) for sample in preds]


def draw_boxes(image: np.ndarray, boxes: np.ndarray | None) -> np.ndarray:
    """Draw boxes (M, 4 or 5) onto a copy of an image (H, W, 3) uint8 RGB."""
    canvas = Image.fromarray(np.ascontiguousarray(image))
    pen = ImageDraw.Draw(canvas)
    line = max(1, round(min(canvas.size) / 100))
    for box in [] if boxes is None else boxes:
        pen.rectangle([float(v) for v in box[:4]], outline='red', width=line)
    return np.array(canvas)


def _check_model(model: BaseModel, config: object) -> None:
    """Refuse a model in memory without a clear way to preprocess images."""
    if config is not None:
        raise ValueError(
            'config=... goes with a checkpoint: a model has its own, as '
            'model._config'
        )
    if not hasattr(model, '_config'):
        raise ValueError(
            'the model has no config, which says how to preprocess images: '
            "take one of mmpretrain's get_model, or set model._config = "
            'Config.fromfile(...)'
        )


def _checked(sample: DataSample) -> DataSample:
    """Return the sample, or one with an error if scores are NaN or Inf."""
    if sample.pred_score.isfinite().all():
        return sample
    problem = (
        f'{sample.name}: the scores contain NaN or Inf: the weights are '
        'broken, or the precision is too low'
    )
    known = dict(name=sample.name, img_path=sample.img_path, error=problem)
    return DataSample(metainfo=known)


def _to_result(sample: DataSample, classes: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = dict(path=sample.img_path)
    if 'pred_score' in sample:
        scores = sample.pred_score.float().cpu().numpy()
        if len(scores) != len(classes):
            raise ValueError(
                f'the classifier gives {len(scores)} scores, but there are '
                f'{len(classes)} names of classes: {", ".join(classes)}'
            )
        label = int(scores.argmax())
        result.update(
            pred_class=classes[label],
            pred_label=label,
            pred_score=float(scores[label]),
            pred_scores=scores,
            scores=dict(zip(classes, map(float, scores), strict=True)),
        )
    for name in ('persons', 'features'):
        if name in sample:
            result[name] = sample.get(name).cpu().numpy()
    if 'error' in sample:
        result['error'] = sample.error
    return result
