r"""ViT-L/16, supervised (ImageNet-21k and 1k), under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-l_supervised.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-l_supervised.py \
               work_dirs/vit-l_supervised_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           38.47, 53.82, 63.68, 54.89, 77.17, 34.62
"""

_base_ = '../_base_/finetune.py'
work_dir = 'work_dirs/vit-l_supervised_{{$DATASET:emo8}}'

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch='large',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.2,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes={{_base_.num_classes}},
        in_channels=1024,
        loss={{_base_.soft_targets}},
    ),
    train_cfg={{_base_.mixing}},
)
# As in the zoo's own config.
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)

load_from = (
    'https://mmassets.onedl.ai/mmclassification/v0/'
    'vit/finetune/'
    'vit-large-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_20210928-b20ba619.pth'
)
