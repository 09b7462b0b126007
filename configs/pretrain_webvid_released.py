# mim train mmbt configs/pretrain_webvid_released.py --launcher pytorch --gpus 8
# Cost: not run.
# Result: not run.
#
# The recipe of the authors' released code, as far as it differs from the paper's in
# pretrain_webvid.py, whose data it reads. What differs still is in docs/fidelity.md.
_base_ = ['./pretrain_webvid.py']

model = dict(
    backbone=dict(variant='released', drop_path=0.1),
    heads=[
        dict(type='VTCHead', temperature=0.01, loss_weight=1.0),
        dict(type='MBTAHead', variant='released', loss_weight=0.1),
        dict(type='MBCAHead', temperature=0.01, loss_weight=0.1),
    ])

short_side = dict(type='Resize', scale=(-1, 256))
tokenize = dict(_base_.tokenize, context_length=64)
train_pipeline = [
    _base_.read_frames, short_side, _base_.random_crop, _base_.resize, tokenize,
    _base_.format_shape, _base_.pack
]
train_dataloader = dict(batch_size=52, num_workers=16, dataset=dict(pipeline=train_pipeline))
auto_scale_lr = dict(base_batch_size=416)  # 52 x 8 GPUs

# The released gates enter the sigmoid times 1e2 (middle) or 1e4 (output), at a rate of 2e-4. W_b
# is the product: it moves alike with a rate times this factor, and decay and epsilon over it.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    paramwise_cfg=dict(
        custom_keys={
            'heads': dict(lr_mult=10),
            'branch': dict(lr_mult=10),
            'branch.temporal': dict(lr_mult=100),
            'branch.gates': dict(lr_mult=1e4, decay_mult=1e-2, eps=1e-10),
            'branch.output_gate': dict(lr_mult=1e6, decay_mult=1e-4, eps=1e-12),
        }),
    clip_grad=dict(max_norm=5))
# Up over half of the run; of a cosine 4.5 runs long, the half run that is left falls to 97 %.
param_scheduler = dict(warmup=0.5, start_factor=0.05, decay=4.5)
