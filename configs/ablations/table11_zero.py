# mim train mmbt configs/ablations/table11_zero.py
# Table 11: W_t starts at zero, the full model.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 40.9 MSR-VTT, 35.6 DiDeMo (Table 11); ours: not run.
_base_ = ['../pretrain_webvid.py']
