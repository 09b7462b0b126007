# mim train mmbt configs/ablations/fig4_tube_50.py
# Figure 4: tubes over 50% of the positions are masked.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's curve is flat up to 70% (no numbers); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    mask=dict(ratio=0.5))
