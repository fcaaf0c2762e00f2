from .bad_sample_hook import BadSampleHook
from .batched_runtime_info_hook import BatchedRuntimeInfoHook
from .encoder_weights_hook import EncoderWeightsHook
from .epoch_seed_hook import EpochSeedHook
from .feature_hooks import ImageFeatureHook, TextFeatureHook
from .finite_loss_hook import FiniteLossHook
from .progress_bar_hook import ProgressBarHook
from .reconstruction_hook import ReconstructionHook
from .resumed_schedule_hook import ResumedScheduleHook
from .resumed_validation_hook import ResumedValidationHook
from .transformer_layers_hook import TransformerLayersHook

__all__ = [
    'BadSampleHook',
    'BatchedRuntimeInfoHook',
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
]
