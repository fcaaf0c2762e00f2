r"""MAE fine-tuned on a fraction of the training images (Fig. 7).

Run:       FRACTION=0.2 python tools/train.py \
               configs/learning_curve/vit-l_mae.py --dataset fi \
               --data-root data/FI
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper shows curves without numbers
"""

_base_ = '../baselines/vit-l_mae.py'
work_dir = 'work_dirs/vit-l_mae_{{$DATASET:emo8}}_{{$FRACTION:0.2}}'

train_dataloader = dict(dataset=dict(fraction={{'$FRACTION:0.2'}}, seed=0))
