r"""UniEmoX, ViT-L/16, fine-tuned on HECO by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-l_uniemox_heco.py \
               --load-from CHECKPOINT --data-root data/HECO
           python tools/test.py configs/finetune/vit-l_uniemox_heco.py \
               work_dirs/vit-l_uniemox_heco --data-root data/HECO
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper reports 47.25 % top-1
"""

_base_ = [
    '../_base_/models/vit-l_classifier.py',
    '../_base_/datasets/heco.py',
    '../_base_/schedules/finetune_bs16_100e.py',
    '../_base_/classification_runtime.py',
]

model = dict(head=dict(num_classes={{_base_.num_classes}}))
