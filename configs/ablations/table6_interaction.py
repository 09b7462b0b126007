# mim train mmbt configs/ablations/table6_interaction.py
# Table 6: the branch reads CLIP at every layer.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 38.5 MSR-VTT, 33.9 DiDeMo, Temporal 2.06 (Table 6); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    heads=_base_.model.heads[:1])
