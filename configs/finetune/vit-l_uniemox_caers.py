r"""UniEmoX, ViT-L/16, fine-tuned on CAER-S by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-l_uniemox_caers.py \
               --load-from CHECKPOINT --data-root data/CAER-S
           python tools/test.py configs/finetune/vit-l_uniemox_caers.py \
               work_dirs/vit-l_uniemox_caers --data-root data/CAER-S
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper reports 92.09 % top-1
"""

_base_ = [
    '../_base_/models/vit-l_classifier.py',
    '../_base_/datasets/caers.py',
    '../_base_/schedules/finetune_bs16_100e.py',
    '../_base_/classification_runtime.py',
]

model = dict(head=dict(num_classes={{_base_.num_classes}}))
