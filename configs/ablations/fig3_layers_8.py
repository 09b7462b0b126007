# mim train mmbt configs/ablations/fig3_layers_8.py
# Figure 3: 8 layers in the branch.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's curve is flat from 4 to 6 layers (no numbers); ours: not run.
_base_ = ['../pretrain_webvid.py']

model = dict(
    backbone=dict(num_layers=8))
