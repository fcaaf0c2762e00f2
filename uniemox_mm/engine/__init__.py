"""What the runner needs beyond MMEngine: hooks, checkpoints, launching."""

from .atomic_backend import AtomicLocalBackend
from .hooks import (
    BadSampleHook,
    EncoderWeightsHook,
    EpochSeedHook,
    FiniteLossHook,
    ProgressBarHook,
    ResumedValidationHook,
    TextFeatureHook,
)

__all__ = [
    'AtomicLocalBackend',
    'BadSampleHook',
    'EncoderWeightsHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'ProgressBarHook',
    'ResumedValidationHook',
    'TextFeatureHook',
]
