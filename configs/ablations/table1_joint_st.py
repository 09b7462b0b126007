# mim train mmbt configs/ablations/table1_joint_st.py
# Table 1: all tokens of a clip attend to each other in an open CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's Correctness 1.92, Temporal 2.11 (instruction tuned, Table 1); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    trunk=dict(frozen=False),
    backbone=dict(_delete_=True, type='JointST', num_frames=8),
    mask=None,
    heads=_base_.model.heads[:1])
