# mim train mmbt configs/demo/shapes_pretrain.py
# Cost: about 2 minutes on one core.
# Result: docs/evidence.md, row "VTC + MBTA + MBCA".
#
# The demo's pretraining, shorter, on videos that show only some of the words that CLIP knows: an
# ablation forgets them or keeps them. Batches, frames and masks are the same for every row of a
# seed, and a row that is killed goes on. Frames are drawn four times, once an epoch, so that
# `mmbt cache` can keep what CLIP makes of them: fixed_draws.states then names the folder.
#
# Data: mmbt prepare world work_dirs/ablations/moving_shapes/seed0/world \
#     --held-out-words
# Weights: mim train mmbt configs/demo/shapes_clip.py
_base_ = ['./demo_pretrain.py']

model = dict(trunk=dict(pretrained='work_dirs/ablations/moving_shapes/seed0/clip/epoch_16.pth'))
fixed_draws = dict(
    type='FixedDraws', draws=4, transforms=[_base_.read_frames, _base_.format_shape])
train_pipeline = [fixed_draws, _base_.tokenize, _base_.pack]
train_dataloader = dict(
    sampler=dict(type='ResumableSampler'),
    dataset=dict(
        data_root='work_dirs/ablations/moving_shapes/seed0/world', pipeline=train_pipeline))
train_cfg = dict(type='ResumableTrainLoop', max_epochs=4)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
work_dir = 'work_dirs/ablations/moving_shapes/seed0/branch'
