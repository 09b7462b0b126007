# mim test mmbt configs/demo/demo_retrieval.py --checkpoint work_dirs/demo/branch/epoch_20.pth
# Cost: seconds.
# Result: see the README; `make demo` reports it beside demo_retrieval_frame_mean.py.
#
# Data: mmbt prepare world work_dirs/demo/world
_base_ = [
    '../_base_/default_runtime.py', '../_base_/datasets/retrieval.py',
    '../_base_/models/tiny_arch.py'
]

model = dict(
    type='VideoTextModel',
    trunk=dict(type='OpenCLIPTrunk', arch={{_base_.tiny_arch}}),
    backbone=dict(type='BTAdapter', num_layers=3, num_frames=8))

read_frames = dict(_base_.read_frames, num_frames=8)
tokenize = dict(_base_.tokenize, context_length=18)
test_pipeline = [read_frames, tokenize, _base_.format_shape, _base_.pack]
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
