"""The arrangement of the authors' code, to compare with."""

import math
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from uniemox_mm.models import EmoMAE
from uniemox_mm.models.detectors.mmdet_model import import_mmdet
from uniemox_mm.models.detectors.mmdet_zoo import find_in_zoo
from uniemox_mm.models.detectors.person_detector import DEFAULT
from uniemox_mm.models.detectors.thresholds import set_thresholds

DETECTOR_SIZE = 416  # pixels, square
CONFIDENCE, IOU_THRESHOLD = 0.8, 0.4


def plain_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
) -> Tensor:
    """softmax(q k^T / sqrt(d) + mask) v, one operation after the other.

    Products are in the precision of autocast, as in code that was written
    before attention was fused. (PyTorch's MATH backend computes them in
    float32 whatever autocast says, which takes longer.)

    Args:
        query (Tensor): (..., L, d).
        key (Tensor): The same, and so is ``value``.
        value (Tensor): The same.
        attn_mask (Tensor, optional): Added to the products, (L, L).
        dropout_p (float): Of the weights. Defaults to 0.
        is_causal (bool): Must be False; a mask says the same.

    Returns:
        Tensor: (..., L, d).
    """
    assert not is_causal
    products = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if attn_mask is not None:
        products = products + attn_mask
    return F.dropout(products.softmax(dim=-1), dropout_p) @ value


class ReferenceEmoMAE(EmoMAE):
    """UniEmoX computed as in the authors' code; the losses are the same.

    In every step YOLOv3 looks for people in the images, CLIP encodes the
    captions, the encoder is called on the scene and then on the person, the
    whole decoder runs on both, and what it makes of the person is thrown
    away. Attention is not fused. Images come to the detector at its own
    size; it finds nobody in them, and cutting people out is not counted.

    Args:
        **kwargs: Those of :class:`EmoMAE`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._detector = [build_detector()]  # not a part to be trained
        for module in self.modules():
            if hasattr(module, 'scaled_dot_product_attention'):  # MMPretrain's
                module.scaled_dot_product_attention = plain_attention

    @property
    def detector(self) -> Any:
        """YOLOv3."""
        return self._detector[0]

    def train_step(self, data: dict, optim_wrapper: Any) -> dict[str, Tensor]:
        """A step with attention that is not fused."""
        # CLIP, which other arrangements share, calls it by this name.
        with patch.object(F, 'scaled_dot_product_attention', plain_attention):
            return super().train_step(data, optim_wrapper)

    def loss(
        self, inputs: Any, data_samples: list, **kwargs
    ) -> dict[str, Tensor]:
        """L1, L2 and L3 of a batch.

        Args:
            inputs (list[Tensor]): Normalised pixels of scene, person, and of
                the whole images for the detector, (N, 3, 416, 416), which
                may be left out.
            data_samples (list[DataSample]): N samples with a ``caption``.
            **kwargs: Ignored.

        Returns:
            dict[str, Tensor]: As of :class:`EmoMAE`.
        """
        scene, person, *whole = inputs
        for images in whole:
            self._find_people(images)
        latent, mask, ids_restore = self.backbone(scene)
        pred = self.neck(latent, ids_restore)
        person_latent, _, person_ids = self.backbone(person)
        self.neck(person_latent, person_ids)  # thrown away
        upsilon = self.fusion(
            self.neck.embed_cls(latent), self.neck.embed_cls(person_latent)
        )
        omega, _ = self.target_generator(scene, None)
        lambda_ = self._encode_captions(data_samples)
        return dict(
            loss_rec=self.head.loss(pred, scene, mask),
            **self.distill(upsilon, omega, lambda_),
        )

    @torch.no_grad()
    def _encode_captions(self, data_samples: list) -> Tensor:
        """Lambda (N, C3), in the precision of the step, unlike ours."""
        teacher = self.target_generator
        tokens = teacher.tokenize([sample.caption for sample in data_samples])
        return teacher.clip.encode_text(tokens)

    @torch.no_grad()
    def _find_people(self, images: Tensor) -> list:
        from mmdet.structures import DetDataSample

        size = tuple(images.shape[-2:])
        metainfo = dict(
            img_shape=size,
            ori_shape=size,
            batch_input_shape=size,
            scale_factor=(1.0, 1.0),
        )
        samples = [DetDataSample(metainfo=metainfo) for _ in images]
        return self.detector.predict(images, samples, rescale=False)

    def _apply(self, fn, recurse: bool = True) -> 'ReferenceEmoMAE':
        self.detector._apply(fn)
        return super()._apply(fn, recurse)


def build_detector() -> nn.Module:
    """MMDetection's YOLOv3 with random weights, which finds nobody.

    A trained network keeps one or two boxes of an image; random weights keep
    thousands until MMDetection's loop over the images sorts them out, which
    would take longer than the authors waited.
    """
    import_mmdet()
    from mmdet.registry import MODELS

    found = find_in_zoo(DEFAULT)
    assert found is not None
    with DefaultScope.overwrite_default_scope('mmdet'):
        settings = Config.fromfile(found[0]).model
        settings.backbone.init_cfg = None  # would be downloaded
        detector = MODELS.build(settings)
    set_thresholds(detector, CONFIDENCE, IOU_THRESHOLD)
    _find_nobody(detector.bbox_head)
    return detector.eval().requires_grad_(False)


@torch.no_grad()
def _find_nobody(head: Any) -> None:
    """Sets the confidence of every anchor to sigmoid(-10)."""
    for layer in head.convs_pred:
        weight = layer.weight.unflatten(0, (-1, head.num_attrib))
        weight[:, 4] = 0.0
        layer.bias.unflatten(0, (-1, head.num_attrib))[:, 4] = -10.0
