r"""ResNet-50, supervised, under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/resnet-50.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/resnet-50.py \
               work_dirs/resnet-50_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           60.78, 57.00, 56.97, 57.00, 76.05, 39.21
"""

_base_ = [
    '../_base_/finetune.py',
    'mmpretrain::_base_/models/resnet50.py',
]
work_dir = 'work_dirs/resnet-50_{{$DATASET:emo8}}'

model = dict(
    head=dict(
        num_classes={{_base_.num_classes}},
        topk=(1,),
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)
optim_wrapper = {{_base_.no_layer_decay}}

load_from = (
    'https://mmassets.onedl.ai/mmclassification/v0/'
    'resnet/'
    'resnet50_8xb32_in1k_20210831-ea4938fc.pth'
)
