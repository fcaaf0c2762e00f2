r"""UniEmoX, ViT-B/16, fine-tuned on FI by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-b_uniemox_fi.py \
               --load-from CHECKPOINT --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = './vit-l_uniemox_fi.py'

model = dict(backbone=dict(arch='base'), head=dict(in_channels=768))
