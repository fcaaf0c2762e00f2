r"""MoCo v3 (ViT-B/16, 300 epochs) under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-b_mocov3.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-b_mocov3.py \
               work_dirs/vit-b_mocov3_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           61.08, 39.19, 61.44, 57.56, 39.70, 44.71
"""

_base_ = '../_base_/finetune.py'
work_dir = 'work_dirs/vit-b_mocov3_{{$DATASET:emo8}}'

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch='base',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.2,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes={{_base_.num_classes}},
        in_channels=768,
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)

load_from = (
    'https://mmassets.onedl.ai/mmselfsup/1.x/'
    'mocov3/mocov3_vit-base-p16_16xb256-amp-coslr-300e_in1k/'
    'mocov3_vit-base-p16_16xb256-amp-coslr-300e_in1k-224_20220826-25213343.pth'
)
