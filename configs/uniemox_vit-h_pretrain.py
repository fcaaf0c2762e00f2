"""UniEmoX with ViT-H/14 on EmoSet-118K, otherwise the paper's run.

Run:       bash tools/dist_train.sh configs/uniemox_vit-h_pretrain.py 8
One GPU:   the same with 1 for 8, and --auto-scale-lr
Hardware:  written for 8 GPUs of 80 GB (64 images each); not run on any yet
Cost:      100,386 images x 200 epochs; 288 G multiply-adds an image and step
           (90 G trained, times 3, and 17.6 G of the teacher)
Score:     not run; not in the paper

The decoder is MAE's: as wide and deep as for ViT-L, over 256 patches. Sharded:
_base_ = './uniemox_vit-l_pretrain_fsdp.py'.
"""

_base_ = './uniemox_vit-l_pretrain.py'

model = dict(
    backbone=dict(arch='h', patch_size=14),
    neck=dict(num_patches=256, patch_size=14, embed_dim=1280),
    head=dict(patch_size=14),
)
