"""Gamma_4: the baseline fusion."""

from mmpretrain.registry import MODELS
from torch import Tensor

from .base_fusion import BaseFusion


@MODELS.register_module()
class AdditionFusion(BaseFusion):
    """Gamma_4 of UniEmoX: Upsilon = alpha + beta, without parameters.

    Args:
        in_channels (int): C3, the width of both inputs.
        init_cfg (dict | list[dict], optional): Initialization config.
    """

    def fuse(self, scene: Tensor, person: Tensor) -> Tensor:
        return scene + person
