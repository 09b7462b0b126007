# What every full-size training tells, refuses and keeps.
custom_hooks = [
    dict(type='BrokenVideoHook'),
    dict(type='NonFiniteHook'),
    dict(type='TrainingMonitorHook'),
    dict(type='BranchFileHook'),
    # An epoch may be the whole run: save on the way too, so that a kill costs 200 iterations at
    # most.
    dict(type='CheckpointHook', by_epoch=False, interval=200, max_keep_ckpts=2, save_last=False),
]
