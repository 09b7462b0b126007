# Zero-shot retrieval; a config adds the files and the pipeline of its set.
test_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CaptionedVideos', form='json', test_mode=True))
test_evaluator = dict(type='VideoTextRetrieval')
test_cfg = dict(type='TestLoop')
