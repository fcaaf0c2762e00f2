r"""A small but complete UniEmoX on drawn pictures.

Run:       make demo, or
           python tools/demo/draw_dataset.py data/drawn_emoset
           python tools/dataset_converters/prepare_emoset.py \
               data/drawn_emoset --out data/drawn_emoset_prepared \
               --short-side 128 --persons data/drawn_emoset/persons.json
           python tools/demo/train_clip.py configs/uniemox_vit-tiny_demo.py \
               --out work_dirs/demo_clip/clip.pt
           python tools/train.py configs/uniemox_vit-tiny_demo.py
Hardware:  2 CPU cores
Score:     docs/benchmarks.md has what it is worth on drawn pictures; nothing
           follows from that for photographs
"""

_base_ = [
    './_base_/models/uniemox_vit-l.py',
    './_base_/datasets/emoset_pretrain.py',
    './_base_/schedules/adamw_bs512_200e.py',
    './_base_/default_runtime.py',
]

# ---- Knobs -----------------------------------------------------------------
data_root = 'data/drawn_emoset_prepared'
size = 64  # pixels
patch = 8
width = 128  # of the student
joint = 128  # C3, of decoder and teacher
batch_size = 32
epochs = 16
warmup = 2
lr = 1.5e-3
# ----------------------------------------------------------------------------

model = dict(
    backbone=dict(
        _delete_=True,
        type='DualStreamViT',
        arch=dict(
            embed_dims=width,
            num_layers=4,
            num_heads=4,
            feedforward_channels=4 * width,
        ),
        img_size=size,
        patch_size=patch,
    ),
    neck=dict(
        num_patches=(size // patch) ** 2,
        patch_size=patch,
        embed_dim=width,
        decoder_embed_dim=joint,
        decoder_depth=2,
        decoder_num_heads=4,
    ),
    head=dict(patch_size=patch),
    fusion=dict(type='AttentionFusion', in_channels=joint),
    target_generator=dict(
        model='ViT-B-16',
        pretrained='work_dirs/demo_clip/clip.pt',  # by train_clip.py
        model_cfg=dict(
            embed_dim=joint,
            vision_cfg=dict(
                image_size=size, layers=2, width=128, patch_size=8
            ),
            text_cfg=dict(
                context_length=77,
                vocab_size=49408,
                width=64,
                heads=2,
                layers=2,
            ),
        ),
    ),
)

train_pipeline = [
    dict(type='LoadEmotionImage'),
    dict(
        type='SceneAndPerson',
        scene=[
            dict(
                type='RandomResizedCrop',
                scale=size,
                crop_ratio_range=(0.5, 1.0),
                backend='pillow',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
        person=[
            dict(type='PersonCrop', policy='largest', margin=0.05),
            dict(
                type='Resize',
                scale=(size, size),
                backend='pillow',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(
        type='PackInputs',
        algorithm_keys=('caption', 'text_feature', 'image_feature'),
    ),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    pin_memory=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)

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
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(
    logger=dict(interval=4),
    # Beside the CLIP that they are of, since every run of the demo trains one.
    text_features=dict(
        type='TextFeatureHook', folder='work_dirs/demo_clip/text_features'
    ),
    progress=dict(type='ProgressBarHook', interval=4),
)
