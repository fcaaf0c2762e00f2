r"""SimMIM (Swin-B, 800 epochs) under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/swin-b_simmim.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/swin-b_simmim.py \
               work_dirs/swin-b_simmim_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           82.78, 67.18, 58.71, 73.33, 84.09, 45.83
"""

_base_ = [
    '../_base_/finetune.py',
    'mmpretrain::_base_/models/swin_transformer/base_224.py',
]
work_dir = 'work_dirs/swin-b_simmim_{{$DATASET:emo8}}'

model = dict(
    backbone=dict(img_size=224, drop_path_rate=0.2),
    head=dict(
        num_classes={{_base_.num_classes}},
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)

load_from = (
    'https://mmassets.onedl.ai/mmselfsup/1.x/'
    'simmim/simmim_swin-base_16xb128-amp-coslr-800e_in1k-192/'
    'simmim_swin-base_16xb128-amp-coslr-800e_in1k-192_20220916-a0e931ac.pth'
)
