r"""UniEmoX, ViT-L/16, fine-tuned on EmoSet-118K by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-l_uniemox_emoset.py \
               --load-from CHECKPOINT --data-root data/EmoSet-118K
           python tools/test.py configs/finetune/vit-l_uniemox_emoset.py \
               work_dirs/vit-l_uniemox_emoset --data-root data/EmoSet-118K
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = [
    '../_base_/models/vit-l_classifier.py',
    '../_base_/datasets/emoset.py',
    '../_base_/schedules/finetune_bs16_100e.py',
    '../_base_/classification_runtime.py',
]

model = dict(head=dict(num_classes={{_base_.num_classes}}))
