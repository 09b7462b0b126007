# mim train mmbt configs/ablations/table7_mbta.py
# Table 7: with MBTA.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 39.3 MSR-VTT, 34.3 DiDeMo (Table 7); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    heads=_base_.model.heads[:2])
