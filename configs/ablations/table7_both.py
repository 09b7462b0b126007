# mim train mmbt configs/ablations/table7_both.py
# Table 7: all three objectives, the full model.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 40.9 MSR-VTT, 35.6 DiDeMo (Table 7); ours: not run.
_base_ = ['../pretrain_webvid.py']
