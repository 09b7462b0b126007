# mim train mmbt configs/ablations/table11_add.py
# Table 11: CLIP and branch are added.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 40.0 MSR-VTT, 34.4 DiDeMo (Table 11); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(combination='add'))
