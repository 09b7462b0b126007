# mim train mmbt configs/ablations/table11_concat.py
# Table 11: CLIP and branch are concatenated and projected.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 39.8 MSR-VTT, 34.5 DiDeMo (Table 11); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(combination='concat'))
