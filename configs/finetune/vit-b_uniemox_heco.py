r"""UniEmoX, ViT-B/16, fine-tuned on HECO by the authors' recipe.

Run:       python tools/train.py configs/finetune/vit-b_uniemox_heco.py \
               --load-from CHECKPOINT --data-root data/HECO
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = './vit-l_uniemox_heco.py'

model = dict(backbone=dict(arch='base'), head=dict(in_channels=768))
