# mim train mmbt configs/ablations/table10_st_adapter.py
# Table 10: ST-Adapter in every layer of a frozen CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's MSR-VTT R@1 33.6, Correctness 1.52, Temporal 1.71, 2.5 GPU hours (Table 10);
# ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(_delete_=True, type='STAdapter'),
    mask=None,
    heads=_base_.model.heads[:1])
