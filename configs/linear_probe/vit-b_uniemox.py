r"""Linear probe of a frozen ViT-B/16 on any of the datasets, as MAE does it.

Run:       python tools/train.py configs/linear_probe/vit-b_uniemox.py \
               --dataset fi --load-from CHECKPOINT --data-root data/FI
Hardware:  written for one GPU of 8 GB; not run on any yet
Score:     not run; not in the paper
"""

_base_ = './vit-l_uniemox.py'
work_dir = 'work_dirs/linear_probe_vit-b_uniemox_{{$DATASET:emo8}}'

model = dict(
    backbone=dict(arch='base', frozen_stages=12),
    neck=dict(input_features=768),
    head=dict(in_channels=768),
)
