# mim test mmbt configs/demo/shapes_recognition.py \
#     --checkpoint work_dirs/ablations/moving_shapes/seed0/branch/epoch_4.pth
# Cost: seconds.
# Result: motions learned from videos; chance is 1 of 12. docs/evidence.md has numbers.
#
# Data: mmbt prepare world work_dirs/ablations/moving_shapes/seed0/world \
#     --held-out-words
_base_ = ['./demo_recognition.py', '../_base_/models/tiny_objectives.py']

model = dict(
    mask=_base_.tiny_mask,  # idle, as are the heads; for ablations to change
    heads=_base_.tiny_heads,
    cls_head=dict(class_file='work_dirs/ablations/moving_shapes/seed0/world/classes.txt'))
test_dataloader = dict(
    dataset=dict(
        data_root='work_dirs/ablations/moving_shapes/seed0/world',
        class_file='work_dirs/ablations/moving_shapes/seed0/world/classes.txt'))
work_dir = 'work_dirs/ablations/moving_shapes/seed0/recognition'
