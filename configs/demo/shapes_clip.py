# mim train mmbt configs/demo/shapes_clip.py
# Cost: about 2 minutes on two cores.
# Result: the CLIP of the ablations on moving shapes; it knows all words from stills.
#
# The demo's CLIP on a world whose training videos hold out pink, cyan and moons.
#
# Data: mmbt prepare world work_dirs/ablations/moving_shapes/seed0/world \
#     --held-out-words
_base_ = ['./demo_clip.py']

train_dataloader = dict(dataset=dict(data_root='work_dirs/ablations/moving_shapes/seed0/world'))
work_dir = 'work_dirs/ablations/moving_shapes/seed0/clip'
