# mim train mmbt configs/ablations/fig4_tube_00.py
# Figure 4: tubes over 0% of the positions are masked.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's curve is flat up to 70% (no numbers); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    mask=None)
