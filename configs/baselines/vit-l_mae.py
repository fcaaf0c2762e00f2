r"""MAE (ViT-L/16, 1,600 epochs) under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-l_mae.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-l_mae.py \
               work_dirs/vit-l_mae_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           35.92, 59.07, 41.29, 77.89, 21.56, 33.60
"""

_base_ = [
    '../_base_/finetune.py',
    '../_base_/models/vit-l_classifier.py',
]
work_dir = 'work_dirs/vit-l_mae_{{$DATASET:emo8}}'

model = dict(head=dict(num_classes={{_base_.num_classes}}))

load_from = (
    'https://mmassets.onedl.ai/mmselfsup/1.x/'
    'mae/mae_vit-large-p16_8xb512-fp16-coslr-1600e_in1k/'
    'mae_vit-large-p16_8xb512-fp16-coslr-1600e_in1k_20220825-cc7e98c9.pth'
)
