r"""UniEmoX, ViT-B/16, fine-tuned on Emotion6 by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-b_uniemox_emotion6.py \
               --load-from CHECKPOINT --data-root data/Emotion6
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = './vit-l_uniemox_emotion6.py'

model = dict(backbone=dict(arch='base'), head=dict(in_channels=768))
