"""Additions for classifiers: start weights, best epoch on val.

Not run by itself.
"""

_base_ = './default_runtime.py'

default_hooks = dict(
    checkpoint=dict(interval=5, save_best='accuracy/top1', rule='greater'),
    # load_from gives the backbone; head and fc_norm start fresh.
    encoder_weights=dict(type='EncoderWeightsHook'),
    resumed_validation=dict(type='ResumedValidationHook'),
    # Batch normalisation sees other images in every process.
    sync_buffers=dict(type='SyncBuffersHook'),
)
