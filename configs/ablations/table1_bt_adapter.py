# mim train mmbt configs/ablations/table1_bt_adapter.py
# Table 1: BT-Adapter with the contrastive objective alone, as its rivals.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's Correctness 2.55, Temporal 2.26 (instruction tuned, Table 1); ours: not run.
_base_ = ['./table6_interaction.py']
