# mim train mmbt configs/dialogue/tune_llava_7b_st_pooling.py --launcher pytorch --gpus 4
# Table 1, spatial-temporal pooling: 100 + 256 tokens of CLIP; the projector alone is trained.
# Cost: less than tune_llava_7b.py, by the branch; not run.
# Result: the paper's Correctness 2.40, Temporal 1.98 (Table 1); ours: not run.
_base_ = ['./tune_llava_7b.py']

model = dict(
    dialogue=dict(
        branch=None, backbone=dict(_delete_=True, type='STPooling'), pooling='space_time'))
