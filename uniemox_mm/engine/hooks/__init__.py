from .bad_sample_hook import BadSampleHook
from .epoch_seed_hook import EpochSeedHook
from .finite_loss_hook import FiniteLossHook
from .progress_bar_hook import ProgressBarHook
from .text_feature_hook import TextFeatureHook

__all__ = [
    'BadSampleHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'ProgressBarHook',
    'TextFeatureHook',
]
