r"""MixMIM, also called MixMAE (base, 300 epochs), under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/mixmim-b.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/mixmim-b.py \
               work_dirs/mixmim-b_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           83.83, 69.99, 62.69, 73.67, 83.12, 48.37 (with ViT-L, 600 epochs)
"""

_base_ = [
    '../_base_/finetune.py',
    'mmpretrain::_base_/models/mixmim/mixmim_base.py',
]
work_dir = 'work_dirs/mixmim-b_{{$DATASET:emo8}}'

model = dict(
    backbone=dict(drop_path_rate=0.2),
    head=dict(
        num_classes={{_base_.num_classes}},
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)

load_from = (
    'https://mmassets.onedl.ai/mmselfsup/1.x/'
    'mixmim/mixmim-base-p16_16xb128-coslr-300e_in1k/'
    'mixmim-base-p16_16xb128-coslr-300e_in1k_20221208-44fe8d2c.pth'
)
