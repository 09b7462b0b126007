# mim test mmbt configs/ablations/table1_st_pooling.py --checkpoint CLIP.pth
# Table 1: the same embedding, and tokens pooled over space and over time.
# Cost: none: nothing is trained.
# Result: the paper's Correctness 2.40, Temporal 1.98 (instruction tuned, Table 1); ours: not run.
_base_ = ['../zeroshot_msrvtt.py']

model = dict(
    backbone=dict(_delete_=True, type='STPooling'),
    mask=None,
    heads=[])
