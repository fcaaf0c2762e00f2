from .bad_sample_hook import BadSampleHook
from .encoder_weights_hook import EncoderWeightsHook
from .epoch_seed_hook import EpochSeedHook
from .finite_loss_hook import FiniteLossHook
from .progress_bar_hook import ProgressBarHook
from .resumed_validation_hook import ResumedValidationHook
from .text_feature_hook import TextFeatureHook

__all__ = [
    'BadSampleHook',
    'EncoderWeightsHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'ProgressBarHook',
    'ResumedValidationHook',
    'TextFeatureHook',
]
