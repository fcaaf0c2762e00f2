"""The paper's run with everything sharded over the GPUs, by FSDP.

Run:       bash tools/dist_train.sh configs/uniemox_vit-l_pretrain_fsdp.py 8
One GPU:   the same with 1 for 8, and --auto-scale-lr; nothing is sharded then
Hardware:  written for machines of 8 GPUs; not run on any yet. In 2
           processes on CPUs (tests), and in 4, a small model gives the losses
           of the unsharded run
Cost:      that of uniemox_vit-l_pretrain.py; in place of 16 bytes a parameter
           (329.5 M, 5.3 GB) each GPU holds its part of them, and sends its
           part of the weights twice a step more
Score:     not run; the recipe is that of uniemox_vit-l_pretrain.py

Mixed precision is autocast in bfloat16, as there: FSDP's own would also take
the losses in bfloat16. Checkpoints are whole files, as there.
"""

_base_ = './uniemox_vit-l_pretrain.py'

runner_type = 'FlexibleRunner'
strategy = dict(
    type='EmoFSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        auto_wrap_policy='wrap_transformer_layers',
        # SHARD_GRAD_OP keeps the weights whole between forward and backward;
        # HYBRID_SHARD shards inside each machine only.
        sharding_strategy='FULL_SHARD',
    ),
    state_dict_cfg='full',
)
