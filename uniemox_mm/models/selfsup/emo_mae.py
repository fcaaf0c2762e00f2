"""The UniEmoX pretraining algorithm."""

import numpy as np
import torch
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from uniemox_mm.weights.checked_loading import refuse_foreign_weights

from .reconstruction import reconstruct


@MODELS.register_module()
class EmoMAE(BaseSelfSupervisor):
    """UniEmoX: masked reconstruction, fused with the person, led by CLIP.

    `UniEmoX: Cross-modal Semantic-Guided Large-Scale Pretraining for
    Universal Scene Emotion Perception <https://arxiv.org/abs/2409.18877>`_,
    Sec. III. Each part can be left out (Table IV): ``head=None`` drops L1,
    ``distill=None`` drops L2 and L3 together with the teacher, a weight of 0
    in ``distill`` drops one of them, ``fusion=None`` drops the person.

    Args:
        backbone (dict): A :class:`DualStreamViT`.
        neck (dict): An :class:`EmoMAEDecoder`.
        head (dict, optional): MMPretrain's ``MAEPretrainHead``, L1.
        fusion (dict, optional): One of the four fusions. None distils the
            scene alone.
        target_generator (dict, optional): A :class:`CLIPTeacher`.
        distill (dict, optional): A :class:`CLIPSimilarityDistillLoss`.
        data_preprocessor (dict, optional): A :class:`PairDataPreprocessor`
            unless it names another type.
        init_cfg (dict | list[dict], optional): Initialization config.

    Raises:
        ValueError: Parts that do not belong together, or widths that differ.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict | None = None,
        fusion: dict | None = None,
        target_generator: dict | None = None,
        distill: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            target_generator=target_generator,
            data_preprocessor={
                'type': 'PairDataPreprocessor',
                **(data_preprocessor or {}),
            },
            init_cfg=init_cfg,
        )
        self.fusion = MODELS.build(fusion) if fusion else None
        self.distill = MODELS.build(distill) if distill else None
        self._check_parts()
        if not self.with_head:
            self.neck.freeze_reconstruction()
        refuse_foreign_weights(self)

    def loss(
        self,
        inputs: list[Tensor] | Tensor,
        data_samples: list[DataSample],
        **kwargs,
    ) -> dict[str, Tensor]:
        """L1, L2 and L3 of a batch, as far as they are on.

        Args:
            inputs (list[Tensor] | Tensor): Normalised pixels of scene and
                person, each (N, 3, H, W); without ``fusion`` the scene
                alone will do.
            data_samples (list[DataSample]): N samples; L2 reads their
                ``text_feature`` (C3,), or encodes their ``caption``. Where
                they have an ``image_feature`` (C3,), it is Omega, and the
                teacher does not see the scene.
            **kwargs: Ignored; the base class passes on what it gets.

        Returns:
            dict[str, Tensor]: ``loss_rec`` (L1), ``loss_similarity`` (L2),
            ``loss_feature`` (L3).
        """
        scene, person = self._streams(inputs)
        if person is None:
            latent, mask, ids_restore = self.backbone(scene)
        else:
            (latent, mask, ids_restore), (person_latent, _, _) = self.backbone(
                scene, person
            )
        losses = {}
        if self.with_head:
            pred = self.neck(latent, ids_restore)  # (N, L, patch^2 * 3)
            losses['loss_rec'] = self.head.loss(pred, scene, mask)
        if self.distill is not None:
            upsilon = self.neck.embed_cls(latent)  # alpha, (N, C3)
            if person is not None:
                beta = self.neck.embed_cls(person_latent)
                upsilon = self.fusion(upsilon, beta)
            texts = (
                self._texts(data_samples) if self.distill.needs_text else None
            )
            images = _rows(data_samples, 'image_feature')
            omega, lambda_ = self.target_generator(
                scene if images is None else images, texts
            )
            losses.update(self.distill(upsilon, omega, lambda_))
        return losses

    def extract_feat(self, inputs: list[Tensor] | Tensor) -> tuple:
        """Features of the whole, unmasked scene, by ``out_indices``."""
        return self.backbone(_scene(inputs), mask=None)

    @torch.no_grad()
    def reconstruct(
        self, inputs: list[Tensor] | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mask the scene at random and predict the removed patches.

        Args:
            inputs (list[Tensor] | Tensor): Normalised pixels of the scene,
                (N, 3, H, W); of a list the first is taken.

        Returns:
            tuple[Tensor, Tensor]: The decoder's picture of all patches,
            normalised like the input, (N, 3, H, W), and the mask with 1 where
            a pixel was hidden, (N, 3, H, W). With ``norm_pix`` each patch
            gets back the mean and deviation of the original.
        """
        return reconstruct(self, _scene(inputs))

    def _streams(
        self, inputs: list[Tensor] | Tensor
    ) -> tuple[Tensor, Tensor | None]:
        if self.fusion is None:
            return _scene(inputs), None
        if isinstance(inputs, Tensor) or len(inputs) != 2:
            found = 'one' if isinstance(inputs, Tensor) else len(inputs)
            raise ValueError(
                f'EmoMAE with a fusion needs two views, scene and person, but '
                f'got {found}: use the transform SceneAndPerson in the '
                'pipeline, or set fusion=None'
            )
        return inputs[0], inputs[1]

    @staticmethod
    def _texts(data_samples: list[DataSample]) -> Tensor | list[str]:
        texts = _rows(data_samples, 'text_feature')
        if texts is not None:
            return texts
        if 'caption' in data_samples[0]:
            return [sample.caption for sample in data_samples]
        raise ValueError(
            "L2 reads a 'caption' or a 'text_feature' of every sample, but "
            f'these have only {sorted(data_samples[0].keys())}: set caption= '
            "of the dataset and PackInputs(algorithm_keys=('caption', "
            "'text_feature')), or similarity_weight=0"
        )

    def _check_parts(self) -> None:
        if self.distill is None:
            if not self.with_head:
                raise ValueError('EmoMAE needs a head, a distill loss or both')
            for part in ('fusion', 'target_generator'):
                if getattr(self, part) is not None:
                    raise ValueError(
                        f'EmoMAE has a {part} but no distill loss, so nothing '
                        f'would use it: set distill, or {part}=None'
                    )
            return
        if not self.with_target_generator:
            raise ValueError('EmoMAE with a distill loss needs a teacher')
        student, teacher = self.neck.cls_channels, self.target_generator
        if student != teacher.embed_dim:
            raise ValueError(
                f'the decoder embeds the cls tokens in {student} channels '
                '(decoder_embed_dim), but the teacher '
                f'{teacher.model_name} gives {teacher.embed_dim}: C3 of '
                'student and teacher must be equal'
            )
        if self.fusion is not None and self.fusion.in_channels != student:
            raise ValueError(
                f'the fusion takes {self.fusion.in_channels} channels, but '
                f'the decoder embeds the cls tokens in {student}'
            )
        self._check_normalisation()

    def _check_normalisation(self) -> None:
        mean = getattr(self.data_preprocessor, 'mean', None)
        if mean is None:
            return
        std = self.data_preprocessor.std
        ours = torch.cat([mean.flatten(), std.flatten()]).float()
        theirs = torch.tensor(self.target_generator.student_norm).flatten()
        if not ours.is_meta and not torch.allclose(ours, theirs):
            raise ValueError(
                'the data preprocessor normalises by mean and std '
                f'{ours.tolist()}, but the teacher was told '
                f'{theirs.tolist()}: set the same mean and std in both'
            )


def _scene(inputs: list[Tensor] | Tensor) -> Tensor:
    return inputs if isinstance(inputs, Tensor) else inputs[0]


def _rows(data_samples: list[DataSample], name: str) -> Tensor | None:
    """NumPy rows of the samples, (N, C3), to cross to the device at once."""
    if name not in data_samples[0]:
        return None
    return torch.from_numpy(np.stack([s.get(name) for s in data_samples]))
