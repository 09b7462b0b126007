# mim test mmbt configs/demo/shapes_scenes.py \
#     --checkpoint work_dirs/ablations/moving_shapes/seed0/branch/epoch_4.pth
# Cost: seconds.
# Result: knowledge kept: what a clip looks like, among 54 captions ("a pink moon on a dark
# background"), 30 of which no training video showed; chance is 1 of 54. docs/evidence.md has
# numbers.
_base_ = ['./shapes_recognition.py']

model = dict(
    cls_head=dict(
        class_file='work_dirs/ablations/moving_shapes/seed0/world/scenes.txt', class_names='raw'))
test_dataloader = dict(
    dataset=dict(
        ann_file='test_scenes_list.txt',
        class_file='work_dirs/ablations/moving_shapes/seed0/world/scenes.txt',
        class_names='raw'))
work_dir = 'work_dirs/ablations/moving_shapes/seed0/scenes'
