"""Settings that all runs share. Not run by itself."""

default_scope = 'mmpretrain'
custom_imports = dict(imports=['uniemox_mm'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='BatchedRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The backend renames whole files into place. MMEngine removes an old
    # checkpoint before it writes the new one: always keep at least 2.
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        backend_args=dict(backend='atomic'),
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    resumed_schedule=dict(type='ResumedScheduleHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    bad_samples=dict(type='BadSampleHook'),
    finite_loss=dict(type='FiniteLossHook', interval=50),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
