# mim train mmbt configs/dialogue/tune_llava_7b_frame_mean.py --launcher pytorch --gpus 4
# Table 1, the baseline: the projector alone is trained, behind the mean of CLIP's frames.
# Cost: less than tune_llava_7b.py, by the branch; not run.
# Result: the paper's Correctness 2.38, Temporal 1.93 (Table 1); ours: not run.
_base_ = ['./tune_llava_7b.py']

model = dict(dialogue=dict(branch=None, backbone=dict(_delete_=True, type='FrameMean')))
