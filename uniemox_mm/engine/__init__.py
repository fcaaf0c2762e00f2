"""Hooks, strategies, configs, launching and resuming beyond MMEngine."""

from .atomic_saving import AtomicLocalBackend, AtomicSavingMixin
from .hooks import (
    BadSampleHook,
    BatchedRuntimeInfoHook,
    EncoderWeightsHook,
    EpochSeedHook,
    FiniteLossHook,
    ImageFeatureHook,
    ProgressBarHook,
    ReconstructionHook,
    ResumedScheduleHook,
    ResumedValidationHook,
    TextFeatureHook,
    TransformerLayersHook,
)
from .strategies import EmoFSDPStrategy, wrap_transformer_layers

__all__ = [
    'AtomicLocalBackend',
    'AtomicSavingMixin',
    'BadSampleHook',
    'BatchedRuntimeInfoHook',
    'EmoFSDPStrategy',
    'EncoderWeightsHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'ImageFeatureHook',
    'ProgressBarHook',
    'ReconstructionHook',
    'ResumedScheduleHook',
    'ResumedValidationHook',
    'TextFeatureHook',
    'TransformerLayersHook',
    'wrap_transformer_layers',
]
