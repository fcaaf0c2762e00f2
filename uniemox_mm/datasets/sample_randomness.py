"""Randomness that belongs to a sample instead of a worker."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(*keys: int) -> int:
    """Mixes non-negative integers into a seed in [0, 2**32)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    """Runs a block under its own seed and puts the old random state back.

    Covers Python's, NumPy's and torch's CPU generators, the three that
    transforms draw from. With the keys (seed, epoch, index) the augmentation
    of a sample depends on nothing else: not on the number of workers, on
    what they did before, or on whether the run was resumed.

    Args:
        *keys (int): What the seed is made from, all non-negative.
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
