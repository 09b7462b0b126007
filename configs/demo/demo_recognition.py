# mim test mmbt configs/demo/demo_recognition.py --checkpoint work_dirs/demo/branch/epoch_20.pth
# Cost: seconds.
# Result: see the README; chance is 1 of 12 motions.
_base_ = [
    '../_base_/default_runtime.py', '../_base_/datasets/recognition.py',
    '../_base_/models/tiny_arch.py'
]

model = dict(
    type='VideoTextModel',
    trunk=dict(type='OpenCLIPTrunk', arch={{_base_.tiny_arch}}),
    backbone=dict(type='BTAdapter', num_layers=3, num_frames=8),
    cls_head=dict(
        type='ZeroShotHead', class_file='work_dirs/demo/world/classes.txt', context_length=18))

read_frames = dict(_base_.read_frames, num_frames=8)
test_pipeline = [read_frames, _base_.format_shape, _base_.pack]
test_dataloader = dict(
    batch_size=40,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root='work_dirs/demo/world',
        ann_file='test_list.txt',
        data_prefix=dict(video='videos'),
        class_file='work_dirs/demo/world/classes.txt',
        pipeline=test_pipeline))
work_dir = 'work_dirs/demo/recognition'
