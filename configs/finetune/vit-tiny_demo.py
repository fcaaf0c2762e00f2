r"""The demo's small encoder, fine-tuned on drawn pictures in Emo8's layout.

Run:       make demo, or after configs/uniemox_vit-tiny_demo.py
           python tools/demo/draw_dataset.py data/drawn_emo8 --layout emo8
           python tools/train.py configs/finetune/vit-tiny_demo.py \
               --load-from work_dirs/demo --work-dir work_dirs/demo_finetune
           python tools/test.py configs/finetune/vit-tiny_demo.py \
               work_dirs/demo_finetune
Hardware:  2 CPU cores
Score:     docs/benchmarks.md has what pretraining is worth on drawn pictures
"""

_base_ = '../_base_/finetune.py'

# ---- Knobs -----------------------------------------------------------------
data_root = 'data/drawn_emo8'
size = 64  # pixels, as in pretraining
width = 128
fraction = 0.025  # of the training images: with all, any network is right
batch_size = 16
epochs = 16
warmup = 2
lr = 1e-3
# ----------------------------------------------------------------------------

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=width,
            num_layers=4,
            num_heads=4,
            feedforward_channels=4 * width,
        ),
        img_size=size,
        patch_size=8,
        # The token that was distilled. ViT-L's recipe takes the mean of the
        # others, which keeps less of it after so short a pretraining.
        out_type='cls_token',
        final_norm=True,
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=8,
        in_channels=width,
        loss={{_base_.soft_targets}},
    ),
)

train_pipeline = [
    dict(type='LoadEmotionImage'),
    dict(
        type='RandomResizedCrop',
        scale=size,
        crop_ratio_range=(0.5, 1.0),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadEmotionImage'),
    dict(
        type='ResizeEdge',
        scale=72,
        edge='short',
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='CenterCrop', crop_size=size),
    dict(type='PackInputs'),
]
loader = dict(
    num_workers=1,
    pin_memory=False,
    dataset=dict(type='Emo8', data_root=data_root, pipeline=test_pipeline),
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    pin_memory=False,
    dataset=dict(
        type='Emo8',
        data_root=data_root,
        fraction=fraction,
        pipeline=train_pipeline,
    ),
)
val_dataloader = loader
test_dataloader = loader

optim_wrapper = dict(optimizer=dict(lr=lr))
auto_scale_lr = dict(base_batch_size=batch_size)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-2,
        by_epoch=True,
        begin=0,
        end=warmup,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=epochs - warmup,
        by_epoch=True,
        begin=warmup,
        end=epochs,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs, val_interval=4)
default_hooks = dict(
    logger=dict(interval=4),
    progress=dict(type='ProgressBarHook', interval=4),
)
