# mim train mmbt configs/ablations/table6_branch.py
# Table 6: the same in a branch that reads CLIP at its first layer alone.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 37.4 MSR-VTT, 32.9 DiDeMo, Temporal 1.97 (Table 6); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(interaction=False),
    heads=_base_.model.heads[:1])
