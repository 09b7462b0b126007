# Zero-shot recognition at 16 frames (App. A); a config adds the files of its set, and the head with
# its class names.
read_frames = dict(type='ReadFrames', num_frames=16, test_mode=True)
resize = dict(type='Resize', scale=(-1, 224))
center_crop = dict(type='CenterCrop', crop_size=224)
format_shape = dict(type='FormatShape', input_format='NCHW')
pack = dict(type='PackVideoText')
test_pipeline = [read_frames, resize, center_crop, format_shape, pack]
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='LabelledVideos', pipeline=test_pipeline, test_mode=True))
test_evaluator = dict(type='ScoredAccMetric', metric_list=('top_k_accuracy', ))
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='ClassPromptHook')]
