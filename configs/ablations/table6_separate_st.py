# mim train mmbt configs/ablations/table6_separate_st.py
# Table 6: temporal attention before the last 4 layers of a frozen CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 35.7 MSR-VTT, 31.0 DiDeMo, Temporal 1.81 (Table 6); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='SeparateST',
        num_layers=_base_.model.backbone.num_layers,
        num_frames=8),
    mask=None,
    heads=_base_.model.heads[:1])
