# mim train mmbt configs/demo/demo_pretrain.py
# Cost: about 4 minutes on two cores.
# Result: see demo_retrieval.py and demo_recognition.py.
#
# What differs from pretraining on WebVid: the data and their size; the tiny CLIP, at its own
# temperature and with three of its four layers read; half of its 16 positions masked, since a
# shape covers about four of them; a stronger time embedding; and a learning rate for a thousand
# small steps.
#
# Data: mmbt prepare world work_dirs/demo/world
# Weights: mim train mmbt configs/demo/demo_clip.py
_base_ = [
    '../pretrain_webvid.py', '../_base_/models/tiny_arch.py',
    '../_base_/models/tiny_objectives.py'
]

model = dict(
    trunk=dict(
        _delete_=True,
        type='OpenCLIPTrunk',
        arch={{_base_.tiny_arch}},
        pretrained='work_dirs/demo/clip/epoch_16.pth'),
    backbone=dict(num_layers=3, time_scale=1.4),
    mask=_base_.tiny_mask,
    heads=_base_.tiny_heads)

read_frames = dict(_base_.read_frames, cache=True)
tokenize = dict(_base_.tokenize, context_length=18)
train_pipeline = [read_frames, tokenize, _base_.format_shape, _base_.pack]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    pin_memory=False,
    sampler=dict(type='DefaultSampler'),
    dataset=dict(
        form='dict',
        data_root='work_dirs/demo/world',
        ann_file='train.json',
        pipeline=train_pipeline))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20)

optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=5.0))
default_hooks = dict(checkpoint=dict(interval=20))
custom_hooks = [dict(type='BrokenVideoHook')]
work_dir = 'work_dirs/demo/branch'
