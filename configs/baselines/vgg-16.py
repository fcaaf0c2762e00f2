r"""VGG-16, supervised, under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vgg-16.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vgg-16.py \
               work_dirs/vgg-16_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           59.58, 59.84, 57.46, 58.67, 14.29, 38.09
"""

_base_ = [
    '../_base_/finetune.py',
    'mmpretrain::_base_/models/vgg16.py',
]
work_dir = 'work_dirs/vgg-16_{{$DATASET:emo8}}'

model = dict(
    backbone=dict(num_classes={{_base_.num_classes}}),
    head=dict(
        topk=(1,),
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)
optim_wrapper = {{_base_.no_layer_decay}}
# Its last layer is the classifier, inside the backbone.
default_hooks = dict(encoder_weights=dict(fresh=['classifier.6.*']))

load_from = (
    'https://mmassets.onedl.ai/mmclassification/v0/'
    'vgg/'
    'vgg16_batch256_imagenet_20210208-db26f1a5.pth'
)
