"""Gamma_2: attention over the two streams."""

import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from .base_fusion import BaseFusion, small_bias


@MODELS.register_module()
class AttentionFusion(BaseFusion):
    r"""Gamma_2 of UniEmoX, eq. 3.

    .. math::
        \Upsilon = \mathrm{Swish}\Big(\sum_{i=1}^{\kappa}
        (a_i \alpha + b_i \beta)\Big) + \epsilon

    with the scores :math:`\alpha\eta_i, \beta\xi_i \in R^{N \times 1}`. The
    paper writes :math:`a_i = \mathrm{softmax}(\alpha\eta_i)`, a softmax over
    one number, and does not say what it runs over:

    - ``'stream'``: over the two streams,
      :math:`(a_i, b_i) = \mathrm{softmax}([\alpha\eta_i, \beta\xi_i])`. Each
      head weighs scene against person, from this sample alone.
    - ``'batch'``: over the N samples, each stream by itself. The literal
      reading of a softmax over an N x 1 matrix; a sample's output then
      depends on the other samples of the batch.

    Args:
        in_channels (int): C3, the width of both inputs.
        num_heads (int): kappa. Defaults to 3.
        normalize (str): ``'stream'`` or ``'batch'``. Defaults to 'stream'.
        init_cfg (dict | list[dict], optional): Initialization config.

    Raises:
        ValueError: ``normalize`` is neither of the two.
    """

    def __init__(
        self,
        in_channels: int,
        num_heads: int = 3,
        normalize: str = 'stream',
        init_cfg=None,
    ) -> None:
        super().__init__(in_channels, init_cfg)
        if normalize not in ('stream', 'batch'):
            raise ValueError(
                "normalize of AttentionFusion is 'stream' or 'batch', but "
                f'got {normalize!r}'
            )
        self.normalize = normalize
        self.scene_score = nn.Linear(in_channels, num_heads, bias=False)
        self.person_score = nn.Linear(in_channels, num_heads, bias=False)
        self.bias = small_bias(in_channels)

    def fuse(self, scene: Tensor, person: Tensor) -> Tensor:
        # (2, N, kappa)
        scores = torch.stack(
            [self.scene_score(scene), self.person_score(person)]
        )
        weights = scores.softmax(0 if self.normalize == 'stream' else 1)
        scene_weight, person_weight = weights.sum(-1, keepdim=True)  # (N, 1)
        return F.silu(scene_weight * scene + person_weight * person) + (
            self.bias
        )
