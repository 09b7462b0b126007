# mim train mmbt configs/ablations/table11_weighted.py
# Table 11: CLIP and branch are weighed, the full model.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 40.9 MSR-VTT, 35.6 DiDeMo (Table 11); ours: not run.
_base_ = ['../pretrain_webvid.py']
