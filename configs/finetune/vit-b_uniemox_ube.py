r"""UniEmoX, ViT-B/16, fine-tuned on UnbiasedEmo by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-b_uniemox_ube.py \
               --load-from CHECKPOINT --data-root data/UnbiasedEmo
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = './vit-l_uniemox_ube.py'

model = dict(backbone=dict(arch='base'), head=dict(in_channels=768))
