# mim test mmbt configs/ablations/table10_clip.py --checkpoint CLIP.pth
# Table 10, baseline: CLIP on each frame.
# Cost: none: nothing is trained.
# Result: the paper's MSR-VTT R@1 35.4, Correctness 2.06, Temporal 1.78, no GPU hours (Table 10);
# ours: not run.
_base_ = ['./table6_clip.py']
