# Zero-shot recognition at 16 frames (App. A); a config adds the files of its set, and the head with
# its class names.
test_pipeline = [
    dict(type='ReadFrames', num_frames=16, test_mode=True),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackVideoText'),
]
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='LabelledVideos', pipeline=test_pipeline, test_mode=True))
test_evaluator = dict(type='ScoredAccMetric', metric_list=('top_k_accuracy', ))
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='ClassPromptHook')]
