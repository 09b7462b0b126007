# mim train mmbt configs/dialogue/tune_llava_7b_joint_st.py --launcher pytorch --gpus 4
# Table 1: all tokens of a video attend to each other in CLIP, which is trained too.
# Cost: not run.
# Result: the paper's Correctness 1.92, Temporal 2.11 (Table 1); ours: not run.
_base_ = ['./tune_llava_7b_separate_st.py']

model = dict(dialogue=dict(backbone=dict(type='JointST')))
