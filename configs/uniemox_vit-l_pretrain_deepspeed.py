"""The paper's run with DeepSpeed, gradients and optimizer states sharded.

Run:       bash tools/dist_train.sh configs/uniemox_vit-l_pretrain_deepspeed.py 8
           after pip install -e '.[deepspeed]'
One GPU:   the same with 1 for 8, and --auto-scale-lr; nothing is sharded then
Hardware:  written for machines of 8 GPUs; not run on any yet. In 2 processes
           on CPUs a small model gives the losses of the unsharded run, with
           ZeRO-2 and ZeRO-3 (DeepSpeed 0.18.9)
Cost:      that of uniemox_vit-l_pretrain.py
Score:     not run; the recipe is that of uniemox_vit-l_pretrain.py

ZeRO-2, since the weights themselves are the smallest part (4 of 16 bytes a
parameter, 1.3 GB): ZeRO-3 would send them twice a step to save that, and its
checkpoints have no whole weights. A checkpoint is a folder, and weights.pth in
it the plain weights. Accumulate by strategy.gradient_accumulation_steps.
"""

_base_ = './uniemox_vit-l_pretrain.py'

runner_type = 'FlexibleRunner'
strategy = dict(
    type='EmoDeepSpeedStrategy',
    autocast='bfloat16',
    zero_optimization=dict(stage=2),
)
# DeepSpeed's wrapper takes no settings of mixed precision.
optim_wrapper = dict(
    _delete_=True,
    type='DeepSpeedOptimWrapper',
    optimizer={{_base_.optim_wrapper.optimizer}},
    paramwise_cfg={{_base_.optim_wrapper.paramwise_cfg}},
)
