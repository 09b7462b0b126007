# mim train mmbt configs/pretrain_webvid.py --launcher pytorch --gpus 8
# Cost: the paper's epoch took 3 hours on 8 V100-32G (24 GPU hours); here: not run.
# Result: the paper's MSR-VTT zero-shot R@1 is 40.9 (Table 2); ours: not run.
#
# Data: WebVid-2M, 2.5 million clips, as the set's own table lists them
#   data/webvid/results_2M_train.csv
#       columns videoid, page_dir and name among others; the 10M layout serves too
#   data/webvid/videos/{page_dir}/{videoid}.mp4
# Weights: OpenAI's CLIP ViT-L/14, fetched by open_clip; model.trunk.pretrained also takes a file.
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/training.py'
]

read_frames = dict(type='ReadFrames', num_frames=8)
random_crop = dict(type='RandomResizedCrop')
resize = dict(type='Resize', scale=(224, 224), keep_ratio=False)
tokenize = dict(type='TokenizeText', context_length=32, caption='random')
format_shape = dict(type='FormatShape', input_format='NCHW')
pack = dict(type='PackVideoText')
train_pipeline = [read_frames, random_crop, resize, tokenize, format_shape, pack]
train_dataloader = dict(
    batch_size=80,  # x 8 GPUs = 640 (Table 8)
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,  # of one clip, the contrast would be none
    sampler=dict(type='ResumableSampler', shuffle=True),
    dataset=dict(
        type='CaptionedVideos',
        form='webvid',
        data_root='data/webvid',
        ann_file='results_2M_train.csv',
        data_prefix=dict(video='videos'),
        pipeline=train_pipeline))
train_cfg = dict(type='ResumableTrainLoop', max_epochs=1)  # --resume goes on where it was killed

# Table 8; single precision: the paper trains without fp16.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=2e-6, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1e9))  # clips nothing, and logs the gradient's norm
# The paper is silent on the schedule: a warm-up over a tenth of the run, however long that is (390
# of the epoch's 3,900 iterations), then a cosine to zero.
param_scheduler = dict(type='WarmUpCosineLR', warmup=0.1, by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=640)

visualizer = dict(
    type='Visualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
