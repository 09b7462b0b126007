# mim train mmbt configs/ablations/table11_random.py
# Table 11: W_t starts at random.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 39.3 MSR-VTT, 34.0 DiDeMo (Table 11); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(temporal_proj='random'))
