"""UniEmoX with ViT-B/16 on EmoSet-118K, otherwise the paper's run.

Run:       bash tools/dist_train.sh configs/uniemox_vit-b_pretrain.py 8
One GPU:   the same with 1 for 8, and --auto-scale-lr
Hardware:  written for 8 GPUs of 24 GB (64 images each); not run on any yet
Score:     not run; not in the paper
"""

_base_ = './uniemox_vit-l_pretrain.py'

model = dict(backbone=dict(arch='b'), neck=dict(embed_dim=768))
