# mim train mmbt configs/demo/demo_clip.py
# Cost: about 2 minutes on two cores.
# Result: an image-text model of the moving-shapes world's still pictures, where drawn cues (trails,
# arrows, sparkles) tell the motions. It has not seen a video.
#
# Data: mmbt prepare world work_dirs/demo/world
_base_ = ['../_base_/default_runtime.py', '../_base_/models/tiny_arch.py']

model = dict(
    type='VideoTextModel',
    trunk=dict(type='OpenCLIPTrunk', arch={{_base_.tiny_arch}}, frozen=False),
    backbone=dict(type='FrameMean'),
    heads=[dict(type='VTCHead', temperature=0.07)])

read_frames = dict(type='ReadFrames', num_frames=1, cache=True)
tokenize = dict(type='TokenizeText', context_length=18)
format_shape = dict(type='FormatShape', input_format='NCHW')
pack = dict(type='PackVideoText')
train_pipeline = [read_frames, tokenize, format_shape, pack]
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CaptionedVideos',
        data_root='work_dirs/demo/world',
        ann_file='stills.json',
        data_prefix=dict(video='stills'),
        pipeline=train_pipeline))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=16)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0))
param_scheduler = dict(type='WarmUpCosineLR', warmup=0.05, by_epoch=False)
default_hooks = dict(checkpoint=dict(save_optimizer=False, interval=16))
work_dir = 'work_dirs/demo/clip'
