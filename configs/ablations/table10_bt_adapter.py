# mim train mmbt configs/ablations/table10_bt_adapter.py
# Table 10: BT-Adapter, the full model.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's MSR-VTT R@1 40.9, Correctness 2.16, Temporal 2.13, 3 GPU hours (Table 10);
# ours: not run.
_base_ = ['../pretrain_webvid.py']
