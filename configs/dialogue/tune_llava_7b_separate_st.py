# mim train mmbt configs/dialogue/tune_llava_7b_separate_st.py --launcher pytorch --gpus 4
# Table 1: temporal attention before every layer of CLIP, which is trained too.
# Cost: not run.
# Result: the paper's Correctness 2.10, Temporal 2.13 (Table 1); ours: not run.
#
# Chat reads a checkpoint, with CLIP in it: --branch work_dirs/tune_llava_7b_separate_st/epoch_3.pth
_base_ = ['./tune_llava_7b_separate_st_frozen.py']

model = dict(train_clip=True)
find_unused_parameters = True  # CLIP's last layer and norm are not read
