r"""UniEmoX, ViT-B/16, fine-tuned on EmoSet-118K by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-b_uniemox_emoset.py \
               --load-from CHECKPOINT --data-root data/EmoSet-118K
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = './vit-l_uniemox_emoset.py'

model = dict(backbone=dict(arch='base'), head=dict(in_channels=768))
