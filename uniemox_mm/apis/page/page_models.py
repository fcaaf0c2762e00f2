"""Models of the page, each loaded once."""

import filecmp
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.model import BaseModel

from uniemox_mm.apis import EmotionInferencer, ZeroShotEmotionInferencer
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets.persons import read_person_file
from uniemox_mm.utils.short_names import short_names
from uniemox_mm.visualization.reconstructions import check_comparable


class KnownBoxes:
    """Person boxes of a dataset, used instead of a detector.

    An upload keeps the name of its file, but not the folder, so files of the
    same name are compared byte by byte.

    Args:
        path (str | Path): The boxes file, in the root of the dataset.

    Raises:
        ValueError: The file has another format.
    """

    def __init__(self, path: str | Path) -> None:
        root = Path(path).parent
        self._same_name: dict[str, list] = defaultdict(list)
        for name, boxes in read_person_file(path).items():
            known = root / name
            self._same_name[known.name].append((known, boxes))

    def find(self, image: str | Path) -> list | None:
        """Return the boxes of an image, or of a copy of it.

        Returns:
            list | None: Rows of x1, y1, x2, y2, score in pixels; None if the
            image is not in the dataset.
        """
        for known, boxes in self._same_name.get(Path(image).name, []):
            if known.is_file() and filecmp.cmp(image, known, shallow=False):
                return boxes
        return None


@dataclass
class PageModels:
    """Models of the page.

    Attributes:
        infer (EmotionInferencer): The classifier, with a detector or not.
        pretrained (BaseModel, optional): Masked autoencoder for the
            reconstruction, as ``load_model`` returns it.
        boxes (KnownBoxes, optional): Boxes to use instead of a detector.
        name (str): Name of the classifier on the page.
        people (str): Name of the detector or the boxes file, or blank.
        classifier_lock (Lock): To be held while ``infer`` runs, because
            Grad-CAM adds hooks to its model.
        pretrained_lock (Lock): To be held while ``pretrained`` runs, because
            its masking is replaced during a reconstruction.
    """

    infer: EmotionInferencer
    pretrained: BaseModel | None = None
    boxes: KnownBoxes | None = None
    name: str = 'a classifier'
    people: str = ''
    classifier_lock: threading.Lock = field(default_factory=threading.Lock)
    pretrained_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def zero_shot(self) -> bool:
        """Whether the classifier is CLIP, without training on emotions."""
        return isinstance(self.infer, ZeroShotEmotionInferencer)

    @property
    def finds_people(self) -> bool:
        """Whether there is a detector or a boxes file."""
        return self.boxes is not None or self.infer.detector is not None

    def describe(self) -> str:
        """Describe the models in a few sentences."""
        classes = self.infer.classes
        sentences = [
            self._describe_classifier(),
            f'{len(classes)} classes: {", ".join(classes)}',
        ]
        if self.pretrained is not None:
            name = _last_parts(self.pretrained._checkpoint)
            sentences.append(f'Reconstruction by {name}')
        if self.people:
            source = 'the detector' if self.boxes is None else 'the boxes file'
            sentences.append(f'People from {source} {self.people}')
        return '. '.join(sentences) + '.'

    def _describe_classifier(self) -> str:
        model = self.infer.model
        if self.zero_shot:
            prompts = ' / '.join(self.infer.config.prompts)
            return (
                f'{self.name} ({self.infer.config.model}), zero-shot with the '
                f'prompt "{prompts}"'
            )
        millions = sum(weight.numel() for weight in model.parameters()) / 1e6
        kind = type(model.backbone).__name__
        return f'{self.name} ({kind}, {millions:,.1f} M parameters)'


def load_models(
    checkpoint: str | None = None,
    config: str | None = None,
    zero_shot: str | None = None,
    clip_model: str = 'ViT-B-16-quickgelu',
    pretrained: str | None = None,
    pretrained_config: str | None = None,
    persons: str | None = None,
    persons_config: str | None = None,
    device: str | None = None,
) -> PageModels:
    """Load the models of the page.

    Args:
        checkpoint (str, optional): A classifier, as in
            :class:`EmotionInferencer`.
        config (str, optional): Its config. Defaults to the one beside it.
        zero_shot (str, optional): Weights of CLIP to use instead of a
            checkpoint: a pretrained tag of open_clip, or a file.
        clip_model (str): An open_clip model name. Defaults to
            'ViT-B-16-quickgelu'.
        pretrained (str, optional): A checkpoint of pretraining, or a work
            dir, for the reconstruction.
        pretrained_config (str, optional): Its config. Defaults to the one
            beside it.
        persons (str, optional): A detector, as in
            :class:`EmotionInferencer`; or ``*.json``, the boxes of a dataset
            in its root.
        persons_config (str, optional): Config of the detector.
        device (str, optional): Defaults to the accelerator, or else the CPU.

    Returns:
        PageModels: The models in eval mode, on the device.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: Both or neither of ``checkpoint`` and ``zero_shot`` are
            given, or a file does not hold the expected model or boxes.
    """
    if (checkpoint is None) == (zero_shot is None):
        raise ValueError('expected either a checkpoint or zero_shot')
    detector, boxes = None, None
    if persons is not None and persons.endswith('.json'):
        boxes = KnownBoxes(persons)
    elif persons is not None:
        detector = dict(weights=persons, config=persons_config)
    infer: EmotionInferencer
    if checkpoint is not None:
        infer = EmotionInferencer(
            checkpoint, config, device=device, detector=detector
        )
        name = _last_parts(infer.model._checkpoint)
    else:
        infer = ZeroShotEmotionInferencer(
            clip_model, zero_shot, device=device, detector=detector
        )
        name = f'CLIP {short_names([str(zero_shot)])[0]}'
    model = None
    if pretrained is not None:
        model = load_model(pretrained, pretrained_config)
        check_comparable({model._checkpoint: model})
        model.to(next(infer.model.parameters()).device)
    people = '' if persons is None else _last_parts(persons)
    return PageModels(infer, model, boxes, name, people)


def default_ratio(model: BaseModel) -> int:
    """Return the mask ratio of a model's pretraining, in percent."""
    return round(100 * model.backbone.mask_ratio)


def largest_ratio(model: BaseModel) -> int:
    """Return the largest mask ratio that leaves a patch visible, in percent.

    The number of visible patches is rounded down, as MAE does.
    """
    patches = model.backbone.num_patches
    visible = (patches * (1 - np.arange(100) / 100)).astype(int)
    return int(np.flatnonzero(visible)[-1])


def _last_parts(path: str) -> str:
    return '/'.join(Path(path).parts[-2:])
