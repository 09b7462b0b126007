# mim train mmbt configs/ablations/table7_mbca.py
# Table 7: with MBCA.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 40.1 MSR-VTT, 34.9 DiDeMo (Table 7); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    heads=_base_.model.heads[::2])
