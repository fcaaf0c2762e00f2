"""Base class of the four fusions of scene and person."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn


class BaseFusion(BaseModule):
    """Check the two inputs of a fusion.

    Args:
        in_channels (int): C3, the width of both inputs and of the output.
        init_cfg (dict | list[dict], optional): Initialization config.
    """

    def __init__(self, in_channels: int, init_cfg=None) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels

    def forward(self, scene: Tensor, person: Tensor) -> Tensor:
        """Fuse alpha and beta into the emotion embedding Upsilon.

        Args:
            scene (Tensor): alpha, (N, C3).
            person (Tensor): beta, (N, C3).

        Returns:
            Tensor: Upsilon, (N, C3).

        Raises:
            ValueError: An input is not (N, ``in_channels``), or the two
                differ in N.
        """
        expected = (len(scene), self.in_channels)
        if scene.shape != expected or person.shape != expected:
            raise ValueError(
                f'{type(self).__name__} fuses two (N, {self.in_channels}) '
                f'tensors, but got {tuple(scene.shape)} and '
                f'{tuple(person.shape)}'
            )
        return self.fuse(scene, person)

    def fuse(self, scene: Tensor, person: Tensor) -> Tensor:
        """The equation itself, on checked inputs."""
        raise NotImplementedError


def small_bias(channels: int) -> nn.Parameter:
    """Epsilon of eq. 2-4: a learnable vector that starts small, (C3,)."""
    return nn.Parameter(torch.full((channels,), 1e-6))
