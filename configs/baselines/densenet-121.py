r"""DenseNet-121, supervised, under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/densenet-121.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/densenet-121.py \
               work_dirs/densenet-121_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           60.33, 60.24, 58.21, 55.44, 77.49, 40.02
"""

_base_ = [
    '../_base_/finetune.py',
    'mmpretrain::_base_/models/densenet/densenet121.py',
]
work_dir = 'work_dirs/densenet-121_{{$DATASET:emo8}}'

model = dict(
    head=dict(
        num_classes={{_base_.num_classes}},
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)
optim_wrapper = {{_base_.no_layer_decay}}

load_from = (
    'https://mmassets.onedl.ai/mmclassification/v0/'
    'densenet/'
    'densenet121_4xb256_in1k_20220426-07450f99.pth'
)
