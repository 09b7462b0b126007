# mim test mmbt configs/ablations/table1_frame_mean.py --checkpoint CLIP.pth
# Table 1, baseline: CLIP on each frame.
# Cost: none: nothing is trained.
# Result: the paper's Correctness 2.38, Temporal 1.93 (instruction tuned, Table 1); ours: not run.
_base_ = ['./table6_clip.py']
