# mim train mmbt configs/ablations/table11_none.py
# Table 11: no W_t.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 39.1 MSR-VTT, 33.5 DiDeMo (Table 11); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(temporal_proj='none'))
