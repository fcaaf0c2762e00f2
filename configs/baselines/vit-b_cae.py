r"""CAE (ViT-B/16, 300 epochs) under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-b_cae.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-b_cae.py \
               work_dirs/vit-b_cae_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           82.93, 68.19, 64.18, 80.78, 90.78, 45.32 (with ViT-L, 1,600 epochs)
"""

_base_ = '../_base_/finetune.py'
work_dir = 'work_dirs/vit-b_cae_{{$DATASET:emo8}}'

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='BEiTViT',
        arch='base',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.2,
        out_type='avg_featmap',
        final_norm=False,
        layer_scale_init_value=0.1,
        use_abs_pos_emb=True,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
    ),
    head=dict(
        type='LinearClsHead',
        num_classes={{_base_.num_classes}},
        in_channels=768,
        loss={{_base_.soft_targets}},
        init_cfg=[dict(type='TruncNormal', layer='Linear', std=2e-5)],
    ),
    train_cfg={{_base_.mixing}},
)
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)
# The pretraining has no relative positions.
default_hooks = dict(
    encoder_weights=dict(fresh=['layers.*.attn.relative_position_bias_table'])
)

load_from = (
    'https://mmassets.onedl.ai/mmselfsup/1.x/'
    'cae/cae_vit-base-p16_8xb256-amp-coslr-300e_in1k/'
    'cae_vit-base-p16_8xb256-amp-coslr-300e_in1k_20221230-808170f3.pth'
)
