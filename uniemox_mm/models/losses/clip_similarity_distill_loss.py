"""L2 and L3: distill CLIP's similarities and features."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import Tensor, nn


def similarity_loss(
    student: Tensor, image_target: Tensor, text_target: Tensor
) -> Tensor:
    r"""L2, eq. 6 and 7, of rows against any set of texts.

    Row n of :math:`A = \Upsilon'\Lambda'^T` needs only sample n and all the
    texts, so the rows of one rank can be taken by themselves.

    Args:
        student (Tensor): Upsilon', rows of unit length, (N, C3).
        image_target (Tensor): Omega', rows of unit length, (N, C3).
        text_target (Tensor): Lambda', rows of unit length, (M, C3).

    Returns:
        Tensor: One minus the mean cosine between the rows of A and C, a
        scalar in [0, 2].
    """
    a = student @ text_target.T  # (N, M)
    c = image_target @ text_target.T
    return 1 - F.cosine_similarity(a, c, dim=1).mean()


def feature_loss(student: Tensor, image_target: Tensor) -> Tensor:
    r"""L3, eq. 8: one minus the mean cosine of Upsilon' and Omega'.

    Args:
        student (Tensor): Upsilon, (N, C3).
        image_target (Tensor): Omega, (N, C3).

    Returns:
        Tensor: A scalar in [0, 2].
    """
    return 1 - F.cosine_similarity(student, image_target, dim=1).mean()


class _GatherRows(torch.autograd.Function):
    """Rows of all ranks, by rank; gradients return to their own rank."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        gathered = [torch.empty_like(rows) for _ in range(_world_size())]
        dist.all_gather(gathered, rows.contiguous())
        return torch.cat(gathered)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        grad = grad.contiguous().clone()
        dist.all_reduce(grad)
        return grad.chunk(_world_size())[dist.get_rank()]


def _world_size() -> int:
    ready = dist.is_available() and dist.is_initialized()
    return dist.get_world_size() if ready else 1


@MODELS.register_module()
class CLIPSimilarityDistillLoss(nn.Module):
    r"""The distillation losses of UniEmoX, eq. 5-8.

    .. math::
        L_2 = 1 - \frac1N \sum_n \cos(A_n, C_n), \quad
        A = \Upsilon'\Lambda'^T, \; C = \Omega'\Lambda'^T, \quad
        L_3 = 1 - \frac1N \sum_n \cos(\Upsilon_n, \Omega_n)

    where ' is the row-wise L2 normalisation of eq. 5. Both are computed in
    float32 whatever the autocast state.

    Args:
        similarity_weight (float): Weight of L2; 0 leaves it out.
            Defaults to 1.
        feature_weight (float): Weight of L3; 0 leaves it out. Defaults to 1.
        gather (bool): In distributed training, compare with the texts of all
            ranks, so that A and C are those of the whole batch, each rank
            holding its own rows. Gradients flow through the gathering; after
            the averaging of DistributedDataParallel they equal those of one
            process with the whole batch, and the values returned are the
            whole batch's on every rank. All ranks need the same N. Without
            effect outside distributed training. Defaults to False.

    Raises:
        ValueError: A weight is negative, or both are 0.
    """

    def __init__(
        self,
        similarity_weight: float = 1.0,
        feature_weight: float = 1.0,
        gather: bool = False,
    ) -> None:
        super().__init__()
        if min(similarity_weight, feature_weight) < 0 or (
            similarity_weight == feature_weight == 0
        ):
            raise ValueError(
                'the weights of CLIPSimilarityDistillLoss must be at least 0 '
                f'and not both 0, but got {similarity_weight} and '
                f'{feature_weight}; to train without distillation set '
                'distill=None in EmoMAE'
            )
        self.similarity_weight = similarity_weight
        self.feature_weight = feature_weight
        self.gather = gather

    @property
    def needs_text(self) -> bool:
        """True if ``text_target`` is read, that is, if L2 is on."""
        return self.similarity_weight > 0

    def forward(
        self,
        student: Tensor,
        image_target: Tensor,
        text_target: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses that are on.

        Args:
            student (Tensor): Upsilon, (N, C3).
            image_target (Tensor): Omega, (N, C3).
            text_target (Tensor, optional): Lambda, (N, C3). May be None where
                L2 is off.

        Returns:
            dict[str, Tensor]: ``loss_similarity`` (L2) and ``loss_feature``
            (L3), weighted; a loss with weight 0 is not there.

        Raises:
            ValueError: The shapes differ, or L2 is on without texts.
        """
        targets = [image_target] + ([text_target] if self.needs_text else [])
        if any(t is None or t.shape != student.shape for t in targets):
            shapes = [None if t is None else tuple(t.shape) for t in targets]
            raise ValueError(
                'student and targets must have the same (N, C3) shape, but '
                f'the student is {tuple(student.shape)} and image and text '
                f'targets are {shapes}'
            )
        losses = {}
        with torch.autocast(student.device.type, enabled=False):
            student = F.normalize(student.float(), dim=1)
            image_target = F.normalize(image_target.float(), dim=1)
            if text_target is not None and self.needs_text:
                text = F.normalize(text_target.float(), dim=1)
                if self._gathering:
                    text = _GatherRows.apply(text)  # (world * N, C3)
                losses['loss_similarity'] = (
                    self.similarity_weight
                    * similarity_loss(student, image_target, text)
                )
            if self.feature_weight > 0:
                losses['loss_feature'] = self.feature_weight * feature_loss(
                    student, image_target
                )
        return self._whole_batch(losses) if self._gathering else losses

    @property
    def _gathering(self) -> bool:
        return self.gather and _world_size() > 1

    @staticmethod
    def _whole_batch(losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give each loss the value of all ranks, keeping its gradient."""
        local = torch.stack([loss.detach() for loss in losses.values()])
        mean = local.clone()
        dist.all_reduce(mean)
        shift = mean / _world_size() - local
        return {
            name: loss + shift[i]
            for i, (name, loss) in enumerate(losses.items())
        }
