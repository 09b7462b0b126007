# mim train mmbt configs/ablations/table10_stan_open.py
# Table 10: STAN beside an open CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's MSR-VTT R@1 40.5, Correctness 1.84, Temporal 1.77, 22 GPU hours (Table 10);
# ours: not run.
_base_ = ['../{{$MMBT_BASE:pretrain_webvid}}.py']

model = dict(
    trunk=dict(frozen=False),
    backbone=dict(
        _delete_=True,
        type='STAN',
        num_layers=_base_.model.backbone.num_layers,
        num_frames=8),
    mask=None,
    heads=_base_.model.heads[:1])
