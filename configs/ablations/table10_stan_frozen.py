# mim train mmbt configs/ablations/table10_stan_frozen.py
# Table 10: STAN beside a frozen CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's MSR-VTT R@1 38.1, Correctness 2.07, Temporal 1.92, 3 GPU hours (Table 10);
# ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='STAN',
        num_layers=_base_.model.backbone.num_layers,
        num_frames=8),
    mask=None,
    heads=_base_.model.heads[:1])
