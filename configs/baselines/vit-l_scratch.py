r"""ViT-L/16 without start weights under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-l_scratch.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-l_scratch.py \
               work_dirs/vit-l_scratch_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           31.89, 37.44, 32.09, 31.89, 22.01, 31.57
"""

_base_ = '../_base_/finetune.py'
work_dir = 'work_dirs/vit-l_scratch_{{$DATASET:emo8}}'

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch='large',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.2,
        out_type='avg_featmap',
        final_norm=False,
    ),
    head=dict(
        type='LinearClsHead',
        num_classes={{_base_.num_classes}},
        in_channels=1024,
        loss={{_base_.soft_targets}},
        init_cfg=[dict(type='TruncNormal', layer='Linear', std=2e-5)],
    ),
    train_cfg={{_base_.mixing}},
)

load_from = None
