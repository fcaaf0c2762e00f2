"""Whether two arrangements compute the same losses."""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .arrangements import Arrangement


class GivenNoise(TorchFunctionMode):
    """Hands out prepared rows where a model draws uniform noise.

    The masks follow from the noise, so models that draw it in one piece or
    in several get the same masks on any device.

    Args:
        noise (Tensor): Rows in [0, 1), (M, L).
    """

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise = noise
        self.taken = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not torch.rand:
            return func(*args, **(kwargs or {}))
        rows = self.noise[self.taken : self.taken + args[0]]
        self.taken += args[0]
        return rows.clone()


@torch.no_grad()
def losses_of(arrangement: Arrangement, noise: Tensor) -> dict[str, Tensor]:
    """The losses of the arrangement's batch in float32.

    Args:
        arrangement (Arrangement): Of :class:`EmoMAE`.
        noise (Tensor): What the masks follow from, scenes before people,
            (2N, L), on the device.

    Returns:
        dict[str, Tensor]: The losses.
    """
    model = arrangement.model
    data = model.data_preprocessor(dict(arrangement.batch), True)
    with GivenNoise(noise):
        return model.loss(**data)


def disagreement(first: Arrangement, second: Arrangement) -> dict[str, float]:
    """Differences of the losses on the same weights, masks and images.

    The second gets the weights of the first, and back its own.

    Returns:
        dict[str, float]: Absolute differences by loss.
    """
    count, length = first.images, first.model.backbone.num_patches
    device = next(first.model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2 * count, length, generator=generator).to(device)
    own = {k: v.clone() for k, v in second.model.state_dict().items()}
    second.model.load_state_dict(first.model.state_dict())
    try:
        one, other = (losses_of(a, noise) for a in (first, second))
    finally:
        second.model.load_state_dict(own)
    return {key: abs(one[key] - other[key]).item() for key in one}
