"""Gamma_3: channel attention, MLP and gate."""

from mmpretrain.registry import MODELS
from torch import Tensor, nn

from .base_fusion import BaseFusion, small_bias


@MODELS.register_module()
class GatedAttentionFusion(BaseFusion):
    r"""Gamma_3 of UniEmoX, eq. 4a-4e.

    .. math::
        \Delta_i &= \mathrm{softmax}(\alpha\phi_i) \odot \alpha
                  + \mathrm{softmax}(\beta\varphi_i) \odot \beta \\
        \Delta_m &= \mathrm{ReLU}(\mathrm{concat}(\Delta_1 \dots
                    \Delta_\kappa) W_1 + b_1) W_2 + b_2 \\
        \Delta_g &= \Delta_m \odot \sigma(\Delta_m W_3 + b_3) \\
        \Upsilon &= \mathrm{ReLU}(\Delta_m \odot \sigma(\Delta_g)) + \epsilon

    The softmax runs over the C3 channels.

    Args:
        in_channels (int): C3, the width of both inputs.
        num_heads (int): kappa. Defaults to 3.
        init_cfg (dict | list[dict], optional): Initialization config.
    """

    def __init__(
        self, in_channels: int, num_heads: int = 3, init_cfg=None
    ) -> None:
        super().__init__(in_channels, init_cfg)
        wide = num_heads * in_channels
        self.num_heads = num_heads
        # Head i is the i-th block of C3 outputs.
        self.scene_proj = nn.Linear(in_channels, wide, bias=False)  # phi
        self.person_proj = nn.Linear(in_channels, wide, bias=False)  # varphi
        self.mlp = nn.Sequential(
            nn.Linear(wide, in_channels),
            nn.ReLU(),
            nn.Linear(in_channels, in_channels),
        )
        self.gate = nn.Linear(in_channels, in_channels)
        self.bias = small_bias(in_channels)

    def fuse(self, scene: Tensor, person: Tensor) -> Tensor:
        heads = self._attend(self.scene_proj, scene) + self._attend(
            self.person_proj, person
        )  # (N, kappa, C3)
        mixed = self.mlp(heads.flatten(1))  # Delta_m, (N, C3)
        gated = mixed * self.gate(mixed).sigmoid()  # Delta_g
        return (mixed * gated.sigmoid()).relu() + self.bias

    def _attend(self, proj: nn.Linear, x: Tensor) -> Tensor:
        scores = proj(x).unflatten(1, (self.num_heads, self.in_channels))
        return scores.softmax(-1) * x.unsqueeze(1)
