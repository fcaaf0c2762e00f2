"""The authors' fine-tuning: AdamW, warm-up, half-cycle cosine per iteration.

Not run by itself.
"""

optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    loss_scale=dict(enabled=False),  # bfloat16 has float32's exponents
    optimizer=dict(
        type='AdamW',
        lr=1e-3 * 16 / 256,  # base lr 1e-3 x batch size / 256
        betas=(0.9, 0.999),
        weight_decay=0.05,
        fused=True,
    ),
    constructor='LearningRateDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        # 0.75 is what MAE takes and the authors declare; they never apply it.
        layer_decay_rate=1.0,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys={
            '.cls_token': dict(decay_mult=0.0),
            '.pos_embed': dict(decay_mult=0.0),
        },
    ),
)
auto_scale_lr = dict(base_batch_size=16)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=95,
        by_epoch=True,
        begin=5,
        end=100,
        # Down to 1e-6, of a layer's own rate: an absolute minimum would lie
        # above the rates that layer decay gives the first layers.
        eta_min_ratio=1e-6 / (1e-3 * 16 / 256),
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
