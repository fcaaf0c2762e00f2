"""Predict the emotions of images with CLIP, without training."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from uniemox_mm.datasets import LoadEmotionImage
from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.inference_pipeline import InferencePipeline
from uniemox_mm.models import CLIPTeacher, PersonDetector
from uniemox_mm.models.zero_shot_classifier import (
    ZeroShotClassifier,
    fill_prompts,
)

from .emotion_inferencer import EmotionInferencer
from .load_model import check_class_names

PROMPT = 'a photo that evokes {emotion}'


class ZeroShotEmotionInferencer(EmotionInferencer):
    """Classify images by the text that CLIP finds most similar to each.

    A baseline that needs no training. Images are preprocessed as open_clip
    does for the model; arguments and results of a call are those of
    :class:`EmotionInferencer`.

    Args:
        model (str): An open_clip model name. OpenAI's weights need a
            ``-quickgelu`` model. Defaults to 'ViT-B-16-quickgelu'.
        pretrained (str, optional): A pretrained tag of open_clip, which is
            downloaded, or a local file, as in :class:`CLIPTeacher`. None gives
            random weights, for tests. Defaults to 'openai'.
        classes (Sequence[str]): Names of the emotions. Defaults to EmoSet's.
        prompt (str | Sequence[str]): A text with ``{emotion}`` in it, or
            several, whose normalised features are averaged.
        scale (float): Factor of the cosine similarities before the softmax.
            Defaults to 100.
        device (str | torch.device, optional): Defaults to the accelerator, or
            else the CPU.
        detector (PersonDetector | dict | str, optional): As in
            :class:`EmotionInferencer`.
        **clip: Other arguments of :class:`CLIPTeacher`, such as ``model_cfg``
            or ``dtype``.

    Raises:
        RuntimeError: The weights cannot be downloaded or read.
        ValueError: A prompt has no ``{emotion}``, or class names are invalid.

    Example:
        >>> from uniemox_mm import ZeroShotEmotionInferencer
        >>> infer = ZeroShotEmotionInferencer()  # doctest: +SKIP
        >>> infer('beach.jpg')[0]['pred_class']  # doctest: +SKIP
        'contentment'
    """

    def __init__(
        self,
        model: str = 'ViT-B-16-quickgelu',
        pretrained: str | None = 'openai',
        classes: Sequence[str] = EMOSET_CATEGORIES,
        prompt: str | Sequence[str] = PROMPT,
        scale: float = 100.0,
        device: str | torch.device | None = None,
        detector: PersonDetector | dict | str | Path | None = None,
        **clip: Any,
    ) -> None:
        classes = check_class_names(classes)
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        texts = fill_prompts(prompts, classes)
        teacher = CLIPTeacher(
            model, pretrained, mean=(0, 0, 0), std=(255, 255, 255), **clip
        )
        if pretrained is None:
            warnings.warn(
                'CLIP has random weights (pretrained=None): its predictions '
                'are meaningless',
                stacklevel=2,
            )
        # open_clip's own preprocessing, up to the normalisation, which the
        # teacher does.
        known = dict(teacher.clip.visual.preprocess_cfg)
        known.update(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        self._transform = image_transform_v2(
            PreprocessCfg(**known), is_train=False
        )
        classifier = ZeroShotClassifier(teacher, texts, scale)
        classifier._config = Config(dict(model=model, prompts=prompts))
        classifier._dataset_meta = dict(classes=classes)
        super().__init__(classifier, device=device, detector=detector)

    def _init_pipeline(self, cfg: Config) -> InferencePipeline:
        return InferencePipeline(LoadEmotionImage(), self._preprocess_image)

    def _preprocess_image(self, results: dict) -> dict:
        """(H, W, 3) uint8 BGR -> (3, H', W') float32 RGB in [0, 1]."""
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        pixels = self._transform(Image.fromarray(rgb))
        return dict(inputs=pixels, data_samples=DataSample())
