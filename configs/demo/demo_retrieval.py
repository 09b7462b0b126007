# mim test mmbt configs/demo/demo_retrieval.py --checkpoint work_dirs/demo/branch/epoch_20.pth
# Cost: seconds.
# Result: see the README; `make demo` reports it beside demo_retrieval_frame_mean.py.
#
# Data: python tools/data/make_world.py work_dirs/demo/world
_base_ = [
    '../_base_/default_runtime.py', '../_base_/datasets/retrieval.py',
    '../_base_/models/tiny_arch.py'
]

model = dict(
    type='VideoTextModel',
    trunk=dict(type='OpenCLIPTrunk', arch={{_base_.tiny_arch}}),
    backbone=dict(type='BTAdapter', num_layers=3, num_frames=8))

test_pipeline = [
    dict(type='ReadFrames', num_frames=8, test_mode=True),
    dict(type='TokenizeText', context_length=18, caption='all'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackVideoText'),
]
test_dataloader = dict(
    batch_size=40,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root='work_dirs/demo/world',
        ann_file='test.json',
        data_prefix=dict(video='videos'),
        pipeline=test_pipeline))
test_evaluator = [
    dict(type='VideoTextRetrieval', dump='work_dirs/demo/retrieval/features.npz'),
    dict(type='PairOrderMetric', pairs_file='work_dirs/demo/world/test_pairs.json'),
]
work_dir = 'work_dirs/demo/retrieval'
