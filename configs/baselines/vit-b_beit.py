r"""BEiT (ViT-B/16, 300 epochs) under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-b_beit.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-b_beit.py \
               work_dirs/vit-b_beit_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           35.30, 28.10, 31.80, 28.90, 15.90, 29.10 (with 800 epochs)
"""

_base_ = '../_base_/finetune.py'
work_dir = 'work_dirs/vit-b_beit_{{$DATASET:emo8}}'

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='BEiTViT',
        arch='base',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.2,
        out_type='avg_featmap',
        use_abs_pos_emb=False,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
    ),
    head=dict(
        type='LinearClsHead',
        num_classes={{_base_.num_classes}},
        in_channels=768,
        loss={{_base_.soft_targets}},
        init_cfg=[dict(type='TruncNormal', layer='Linear', std=0.02)],
    ),
    train_cfg={{_base_.mixing}},
)
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)

load_from = (
    'https://mmassets.onedl.ai/mmselfsup/1.x/'
    'beit/beit_vit-base-p16_8xb256-amp-coslr-300e_in1k/'
    'beit_vit-base-p16_8xb256-amp-coslr-300e_in1k_20221128-ab79e626.pth'
)
