r"""UniEmoX fine-tuned on a fraction of the training images (Fig. 7).

Run:       FRACTION=0.2 python tools/train.py \
               configs/learning_curve/vit-l_uniemox.py --dataset fi \
               --load-from CHECKPOINT --data-root data/FI
           All fractions and datasets with one command:
           python tools/benchmark_downstream.py CHECKPOINT --root data \
               --fractions 0.2 0.4 0.6 0.8 1.0
Hardware:  written for one GPU of 16 GB; not run on any yet
Score:     not run; the paper shows curves without numbers
"""

_base_ = '../finetune/vit-l_uniemox_{{$DATASET:emo8}}.py'
work_dir = 'work_dirs/vit-l_uniemox_{{$DATASET:emo8}}_{{$FRACTION:0.2}}'

# The same fraction of each class; another seed takes other images.
train_dataloader = dict(dataset=dict(fraction={{'$FRACTION:0.2'}}, seed=0))
