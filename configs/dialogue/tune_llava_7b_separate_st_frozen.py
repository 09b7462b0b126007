# mim train mmbt configs/dialogue/tune_llava_7b_separate_st_frozen.py --launcher pytorch --gpus 4
# Table 1: temporal attention before every layer of a frozen CLIP; all T x N tokens are read.
# Cost: not run.
# Result: the paper's Correctness 2.29, Temporal 2.01 (Table 1); ours: not run.
#
# The paper is silent on T. Six frames are 1,536 of the 2,048 tokens that LLaMA reads.
_base_ = ['./tune_llava_7b.py']

model = dict(
    from_scratch=True,
    dialogue=dict(
        branch=None,
        backbone=dict(_delete_=True, type='SeparateST', num_frames=6),
        pooling='none'))
read_frames = dict(_base_.read_frames, num_frames=6)
pipeline = [read_frames, _base_.resize, _base_.center_crop, _base_.format_shape]
train_pipeline = [*pipeline, _base_.pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
