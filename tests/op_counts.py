"""Count the operators that PyTorch calls."""

from collections import Counter

from torch.utils._python_dispatch import TorchDispatchMode


class OpCounts(TorchDispatchMode):
    """The ATen operators called inside, as ``calls['aten.mm']``.

    Operators made of others count as these, as they do in training; in
    inference mode PyTorch would show them whole.
    """

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with self:
            parts = func.decompose(*args, **(kwargs or {}))
        if parts is not NotImplemented:
            return parts
        self.calls[str(func.overloadpacket)] += 1
        return func(*args, **(kwargs or {}))
