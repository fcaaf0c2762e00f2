"""Fine-tuning of any model on any of the datasets by the authors' recipe.

Not run by itself: a config built on this adds ``model``, with the settings
below. ``tools/train.py --dataset`` chooses the file of the dataset.
"""

_base_ = [
    './datasets/{{$DATASET:emo8}}.py',
    './schedules/finetune_bs16_100e.py',
    './classification_runtime.py',
]

# Of model.head.loss and model.train_cfg.
soft_targets = dict(
    type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'
)
mixing = dict(
    augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
)
# Convolutional networks have no layers that layer decay knows.
no_layer_decay = dict(
    constructor='DefaultOptimWrapperConstructor',
    paramwise_cfg=dict(
        _delete_=True,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
    ),
)
