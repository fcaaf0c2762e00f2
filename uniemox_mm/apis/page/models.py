"""The models of the page, each loaded once and asked by one at a time."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.model import BaseModel

from uniemox_mm.apis import (
    EmotionInferencer,
    ZeroShotEmotionInferencer,
)
from uniemox_mm.apis.load_model import load_model
from uniemox_mm.engine.read_config import resolve_checkpoint
from uniemox_mm.utils.short_names import short_names
from uniemox_mm.visualization.reconstructions import check_comparable

from .known_boxes import KnownBoxes


@dataclass
class PageModels:
    """What answers on the page.

    Attributes:
        infer (EmotionInferencer): Gives the emotion, and finds people where
            it has a detector.
        painters (dict[str, BaseModel]): Name -> masked autoencoder, at most
            one.
        boxes (KnownBoxes, optional): Boxes in the place of a detector.
        name (str): What the page calls the classifier.
        people (str): Where the boxes come from, blank for nowhere.
        classifier_lock (Lock): To be held while ``infer`` runs: Grad-CAM
            hooks into its model.
        painter_lock (Lock): The same for the painter, whose masking is
            replaced for a moment.
    """

    infer: EmotionInferencer
    painters: dict[str, BaseModel] = field(default_factory=dict)
    boxes: KnownBoxes | None = None
    name: str = 'a classifier'
    people: str = ''
    classifier_lock: threading.Lock = field(default_factory=threading.Lock)
    painter_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def zero_shot(self) -> bool:
        """Whether CLIP is asked, which was not trained on emotions."""
        return isinstance(self.infer, ZeroShotEmotionInferencer)

    @property
    def knows_people(self) -> bool:
        """Whether there is anything that can say where people are."""
        return self.boxes is not None or self.infer.detector is not None

    def describe_others(self) -> str:
        """One line on what paints, and on where boxes come from."""
        painter = next(iter(self.painters), '')
        boxes = 'known boxes of' if self.boxes is not None else 'detector'
        painting = f'Reconstruction by {painter}' if painter else ''
        people = f'people by {boxes} {self.people}' if self.people else ''
        text = '; '.join(filter(None, (painting, people)))
        return text[:1].upper() + text[1:] + '.' if text else ''

    def describe(self) -> str:
        """One line on the model: its name, kind and size."""
        model = self.infer.model
        if self.zero_shot:
            asked = ' / '.join(self.infer.config.prompts)
            return (
                f'{self.name} ({self.infer.config.model}), asked without any '
                f'training which text fits best: "{asked}"'
            )
        count = sum(weight.numel() for weight in model.parameters())
        kind = type(model.backbone).__name__
        return f'{self.name} ({kind}, {_short(count)} parameters)'


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
    """Loads what the page needs.

    Args:
        checkpoint (str, optional): A classifier, as of
            :class:`EmotionInferencer`.
        config (str, optional): Its config. Defaults to the one beside it.
        zero_shot (str, optional): Instead of a checkpoint: a tag of
            open_clip, or a file, as of :class:`ZeroShotEmotionInferencer`.
        clip_model (str): open_clip's name of it. Defaults to
            'ViT-B-16-quickgelu'.
        pretrained (str, optional): A checkpoint of pretraining, or a work
            dir, for the reconstruction.
        pretrained_config (str, optional): Its config. Defaults to the one
            beside it.
        persons (str, optional): A detector, as of
            :class:`EmotionInferencer`; or ``*.json``, the boxes of a dataset
            in its root.
        persons_config (str, optional): The config of the detector.
        device (str, optional): Defaults to the accelerator, or else the CPU.

    Returns:
        PageModels: The models in eval mode, on the device.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: Not one of ``checkpoint`` and ``zero_shot`` is given, or
            a file is not what it is named for.
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
        name = _last_parts(resolve_checkpoint(checkpoint))
    else:
        infer = ZeroShotEmotionInferencer(
            clip_model, zero_shot, device=device, detector=detector
        )
        name = f'CLIP {short_names([str(zero_shot)])[0]}'
    painters: dict[str, BaseModel] = {}
    if pretrained is not None:
        model = load_model(pretrained, pretrained_config)
        painters = {_last_parts(model._checkpoint): model}
        check_comparable(painters)
        model.to(next(infer.model.parameters()).device)
    people = '' if persons is None else _last_parts(persons)
    return PageModels(infer, painters, boxes, name, people)


def default_ratio(painter: BaseModel) -> int:
    """The mask ratio that a model was trained with, in percent."""
    return round(100 * painter.backbone.mask_ratio)


def largest_ratio(painter: BaseModel) -> int:
    """The largest mask ratio that leaves a patch visible, in percent."""
    patches = painter.backbone.num_patches
    visible = (patches * (1 - np.arange(100) / 100)).astype(int)
    return int(np.flatnonzero(visible)[-1])


def _last_parts(path: str) -> str:
    return '/'.join(Path(path).parts[-2:])


def _short(count: int) -> str:
    """1,234,567 -> '1.2 M'."""
    return f'{count / 1e6:,.1f} M'
