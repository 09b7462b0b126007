# mim train mmbt configs/ablations/table7_vtc.py
# Table 7: the contrastive objective alone.
# Cost: an epoch of WebVid-2M; not run.
# Result: the paper's R@1 38.5 MSR-VTT, 33.9 DiDeMo (Table 7); ours: not run.
_base_ = ['./table6_interaction.py']
