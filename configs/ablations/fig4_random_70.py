# mim train mmbt configs/ablations/fig4_random_70.py
# Figure 4: 70% of each frame is masked, every frame by itself.
# Cost: an epoch of WebVid-2M; not run.
# Result: not in the paper; ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    mask=dict(type='RandomMask', ratio=0.7))
