# Zero-shot retrieval at MSR-VTT's 12 frames and 12 tokens (App. A); a config adds the files of its
# set, and the parts of the pipeline that differ there.
read_frames = dict(type='ReadFrames', num_frames=12, test_mode=True)
resize = dict(type='Resize', scale=(-1, 224))
center_crop = dict(type='CenterCrop', crop_size=224)
tokenize = dict(type='TokenizeText', context_length=12, caption='all')
format_shape = dict(type='FormatShape', input_format='NCHW')
pack = dict(type='PackVideoText')
test_pipeline = [read_frames, resize, center_crop, tokenize, format_shape, pack]
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CaptionedVideos', form='json', pipeline=test_pipeline, test_mode=True))
test_evaluator = dict(type='VideoTextRetrieval')
test_cfg = dict(type='TestLoop')
