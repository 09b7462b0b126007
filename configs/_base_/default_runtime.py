# What every run shares: registration of mmbt, hooks, logging.
default_scope = 'mmaction'
custom_imports = dict(imports=['mmbt'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='LazyRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    work_dir_lock=dict(type='WorkDirLockHook'),
    resume_check=dict(type='ResumeCheckHook'),
    model_card=dict(type='ModelCardHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
# What may differ from the checkpoint when a run is resumed, such as ['optim_wrapper.optimizer.lr'].
allow_resume_changes = []
