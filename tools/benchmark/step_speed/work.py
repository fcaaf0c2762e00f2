"""How much is computed in a step, and how much the device could compute."""

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .arrangements import Arrangement
from .timing import seconds_of


def multiply_adds(arrangement: Arrangement) -> int:
    """Multiply-adds of one step, forward and backward.

    Counts matrix products, convolutions and attention. What is computed
    again because of checkpointing counts as well. Takes a step.

    Args:
        arrangement (Arrangement): Not compiled: compiled layers are not
            looked into.
    """
    shortcut = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # is not counted
    try:
        # Attention as products of matrices, which are, on any device.
        with (
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            arrangement.step()
    finally:
        torch.backends.mha.set_fastpath_enabled(shortcut)
    return counter.get_total_flops() // 2


def matmul_peak(device: torch.device, precision: str) -> float:
    """Multiply-adds a second of the best of some large products.

    Args:
        device (torch.device): Where.
        precision (str): Name of a torch dtype.
    """
    dtype = getattr(torch, precision)
    on_gpu = device.type == 'cuda'
    best = 0.0
    for n in (4096, 8192, 16384) if on_gpu else (1024, 2048):
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in 'ab')
        repeat = 20 if on_gpu else 3

        def run(a=a, b=b, repeat=repeat) -> None:
            for _ in range(repeat):
                a @ b

        run()
        fastest = min(seconds_of(run, device) for _ in range(4))
        best = max(best, repeat * n**3 / fastest)
    return best
