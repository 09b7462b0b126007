# mim train mmbt configs/dialogue/tune_llava_7b_scratch.py --launcher pytorch --gpus 4
# Table 1, BT-Adapter: no pretraining, the branch starts untrained.
# Cost: as tune_llava_7b.py.
# Result: the paper's Correctness 2.55, Temporal 2.26 (Table 1); ours: not run.
_base_ = ['./tune_llava_7b.py']

model = dict(from_scratch=True, dialogue=dict(branch=None))
