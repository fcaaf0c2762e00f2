"""Gamma_1: weighted sum, layer norm, bias."""

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from .base_fusion import BaseFusion, small_bias


@MODELS.register_module()
class WeightedSumFusion(BaseFusion):
    r"""Gamma_1 of UniEmoX, eq. 2.

    .. math::
        \Upsilon = \mathrm{LayerNorm}\Big(\sum_{i=1}^{\kappa}
        (\lambda_i \odot \alpha + \mu_i \odot \beta)\Big) + \epsilon

    Only the sums of the weights over the heads reach the output, so they are
    added first: kappa costs parameters but no time. All weights start at
    1 / kappa, that is at the layer norm of alpha + beta.

    Args:
        in_channels (int): C3, the width of both inputs.
        num_heads (int): kappa. Defaults to 3.
        init_cfg (dict | list[dict], optional): Initialization config.
    """

    def __init__(
        self, in_channels: int, num_heads: int = 3, init_cfg=None
    ) -> None:
        super().__init__(in_channels, init_cfg)
        start = torch.full((num_heads, in_channels), 1 / num_heads)
        self.scene_weights = nn.Parameter(start.clone())  # lambda
        self.person_weights = nn.Parameter(start.clone())  # mu
        self.norm = nn.LayerNorm(in_channels)
        self.bias = small_bias(in_channels)

    def fuse(self, scene: Tensor, person: Tensor) -> Tensor:
        weighted = (
            self.scene_weights.sum(0) * scene
            + self.person_weights.sum(0) * person
        )
        return self.norm(weighted) + self.bias
