"""Zero-shot classification with CLIP."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.models import ClsHead, ImageClassifier
from torch import Tensor

from .target_generators import CLIPTeacher

PLACE = '{emotion}'


class ZeroShotClassifier(ImageClassifier):
    """Classify by softmax(scale * cos(image, texts of a class)) of CLIP.

    A class is the mean of the normalised features of its texts, as CLIP's
    authors put several prompts together.

    Args:
        clip (CLIPTeacher): The model, for pixels with mean 0 and standard
            deviation 255, that is in [0, 1].
        texts (Sequence[Sequence[str]]): The texts of each of the K classes.
        scale (float): Factor of the cosines. Defaults to 100, the value at
            the end of OpenAI's training.
    """

    def __init__(
        self,
        clip: CLIPTeacher,
        texts: Sequence[Sequence[str]],
        scale: float = 100.0,
    ) -> None:
        super().__init__(
            backbone=_ImageTower(clip), head=_CosineHead(clip, texts, scale)
        )


class _ImageTower(BaseModule):
    """Image tower of CLIP as a backbone."""

    def __init__(self, clip: CLIPTeacher) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """(N, 3, H, W) in [0, 1] -> ((N, C3),), not normalised."""
        return (self.clip.encode_image(images),)


class _CosineHead(ClsHead):
    """Cosine similarities of images and texts as a head."""

    texts: Tensor

    def __init__(
        self, clip: CLIPTeacher, texts: Sequence[Sequence[str]], scale: float
    ) -> None:
        super().__init__()
        self.scale = scale
        features = [
            F.normalize(clip.encode_text(of_class)).mean(0)
            for of_class in texts
        ]
        # (K, C3)
        self.register_buffer('texts', F.normalize(torch.stack(features)))

    def forward(self, feats: tuple[Tensor]) -> Tensor:
        """((N, C3),) -> logits (N, K)."""
        return self.scale * F.normalize(feats[-1]) @ self.texts.T


def fill_prompts(
    prompts: Sequence[str], classes: Sequence[str]
) -> list[list[str]]:
    """Fill the names of the classes into prompts.

    Args:
        prompts (Sequence[str]): Texts with ``{emotion}`` in them.
        classes (Sequence[str]): Names, put there in lower case.

    Returns:
        list[list[str]]: The texts of each class.

    Raises:
        ValueError: There are no classes or prompts, or a prompt has no place
            for the emotion.

    Example:
        >>> fill_prompts(['a photo that evokes {emotion}'], ['Awe'])
        [['a photo that evokes awe']]
    """
    if not prompts or not classes:
        raise ValueError('expected at least one prompt and one class')
    for prompt in prompts:
        if PLACE not in prompt:
            raise ValueError(
                f'the prompt {prompt!r} has no {PLACE} for the class name'
            )
    return [[p.replace(PLACE, c.lower()) for p in prompts] for c in classes]
