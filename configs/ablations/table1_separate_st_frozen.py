# mim train mmbt configs/ablations/table1_separate_st_frozen.py
# Table 1: temporal attention before every layer of a frozen CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's Correctness 2.29, Temporal 2.01 (instruction tuned, Table 1); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(_delete_=True, type='SeparateST', num_frames=8),
    mask=None,
    heads=_base_.model.heads[:1])
