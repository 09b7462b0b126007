# mim train mmbt configs/ablations/table10_stan_open.py
# Table 10: STAN beside an open CLIP.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's MSR-VTT R@1 40.5, Correctness 1.84, Temporal 1.77, 22 GPU hours (Table 10);
# ours: not run.
_base_ = ['./table10_stan_frozen.py']

model = dict(
    trunk=dict(frozen=False))
