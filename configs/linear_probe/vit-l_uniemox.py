r"""Linear probe of a frozen ViT-L/16 on any of the datasets, as MAE does it.

Run:       python tools/train.py configs/linear_probe/vit-l_uniemox.py \
               --dataset fi --load-from CHECKPOINT --data-root data/FI
           python tools/test.py configs/linear_probe/vit-l_uniemox.py \
               work_dirs/linear_probe_vit-l_uniemox_fi --dataset fi
           python tools/knn.py configs/linear_probe/vit-l_uniemox.py \
               CHECKPOINT --dataset fi --data-root data/FI
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = [
    '../_base_/models/vit-l_classifier.py',
    '../_base_/datasets/{{$DATASET:emo8}}.py',
    '../_base_/schedules/linear_probe_bs256_90e.py',
    '../_base_/classification_runtime.py',
]
work_dir = 'work_dirs/linear_probe_vit-l_uniemox_{{$DATASET:emo8}}'

model = dict(
    # The cls token, which is what pretraining distils.
    backbone=dict(
        frozen_stages=24,
        drop_path_rate=0.0,
        out_type='cls_token',
        final_norm=True,
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=1024),
    head=dict(
        num_classes={{_base_.num_classes}},
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        init_cfg=[dict(type='TruncNormal', layer='Linear', std=0.01)],
    ),
    train_cfg=dict(_delete_=True),
)

train_pipeline = [
    dict(type='LoadEmotionImage'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
# Batch normalisation fails on a last batch of one image: with N % 256 == 1
# training images take another batch size.
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))
