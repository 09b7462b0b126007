# mim train mmbt configs/ablations/table1_separate_st.py
# Table 1: temporal attention before every layer of an open CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's Correctness 2.10, Temporal 2.13 (instruction tuned, Table 1); ours: not run.
_base_ = ['./table1_separate_st_frozen.py']

model = dict(
    trunk=dict(frozen=False))
