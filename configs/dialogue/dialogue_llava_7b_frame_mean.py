# mmbt chat configs/dialogue/dialogue_llava_7b_frame_mean.py VIDEO
# LLaVA itself, the mean of its tokens over the frames: what the branch is compared with.
# Cost: as dialogue_llava_7b.py.
# Result: the paper's Correctness 2.06, Temporal 1.78 zero-shot (Table 5); ours: not run.
_base_ = ['./dialogue_llava_7b.py']

model = dict(backbone=dict(_delete_=True, type='FrameMean'))
