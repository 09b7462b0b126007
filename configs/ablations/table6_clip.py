# mim test mmbt configs/ablations/table6_clip.py --checkpoint CLIP.pth
# Table 6, baseline: CLIP on each frame.
# Cost: none: nothing is trained.
# Result: the paper's R@1 35.4 MSR-VTT, 30.3 DiDeMo, Temporal 1.78 (Table 6); ours: not run.
_base_ = ['../zeroshot_msrvtt.py']

model = dict(
    backbone=dict(_delete_=True, type='FrameMean'),
    mask=None,
    heads=[])
