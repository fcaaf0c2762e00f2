"""Random state that belongs to a sample instead of a worker."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(*keys: int) -> int:
    """Mix non-negative integers into a seed in [0, 2**32)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    """Run a block under its own seed and restore the random state after.

    Covers Python's, NumPy's and torch's CPU generators, the three that
    transforms draw from. With the keys (seed, epoch, index) the augmentation
    of a sample depends on nothing else: not on the number of workers, on
    what they did before, or on whether the run was resumed.

    Args:
        *keys (int): Non-negative integers that make the seed.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    seed = derive_seed(*keys)
    random.seed(seed)
    np.random.seed(seed)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
