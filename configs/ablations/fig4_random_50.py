# mim train mmbt configs/ablations/fig4_random_50.py
# Figure 4: 50% of each frame is masked, every frame by itself.
# Cost: an epoch of WebVid-2M; not run.
# Result: not in the paper; ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    mask=dict(type='RandomMask', ratio=0.5))
