# mim train mmbt configs/demo/shapes_pretrain_long.py
# Cost: about 4 minutes on one core.
# Result: docs/evidence.md, where it tells what more steps change.
_base_ = ['./shapes_pretrain.py']

train_cfg = dict(max_epochs=8)
work_dir = 'work_dirs/ablations/moving_shapes/seed0/branch_long'
