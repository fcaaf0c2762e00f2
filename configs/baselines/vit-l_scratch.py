r"""ViT-L/16 without start weights under the recipe of UniEmoX.

Run:       python tools/train.py configs/baselines/vit-l_scratch.py \
               --dataset fi --data-root data/FI
           python tools/test.py configs/baselines/vit-l_scratch.py \
               work_dirs/vit-l_scratch_fi --dataset fi --data-root data/FI
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper reports on UBE, FI, Emotion6, Emo8, CAER-S, HECO
           31.89, 37.44, 32.09, 31.89, 22.01, 31.57
"""

_base_ = [
    '../_base_/finetune.py',
    '../_base_/models/vit-l_classifier.py',
]
work_dir = 'work_dirs/vit-l_scratch_{{$DATASET:emo8}}'

model = dict(head=dict(num_classes={{_base_.num_classes}}))

load_from = None
