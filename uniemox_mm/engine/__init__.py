"""What the runner needs beyond MMEngine: hooks, checkpoints, launching."""

from .atomic_backend import AtomicLocalBackend
from .hooks import BadSampleHook, EpochSeedHook, TextFeatureHook

__all__ = [
    'AtomicLocalBackend',
    'BadSampleHook',
    'EpochSeedHook',
    'TextFeatureHook',
]
