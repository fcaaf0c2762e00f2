"""MAE's linear probing: LARS, no weight decay, warm-up, cosine.

Not run by itself.
"""

optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    loss_scale=dict(enabled=False),  # bfloat16 has float32's exponents
    # base lr 0.1 x batch size / 256
    optimizer=dict(type='LARS', lr=0.1, momentum=0.9, weight_decay=0.0),
)
auto_scale_lr = dict(base_batch_size=256)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=10,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=80,
        by_epoch=True,
        begin=10,
        end=90,
        eta_min=0.0,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=1)
