# mim test mmbt configs/demo/shapes_retrieval.py \
#     --checkpoint work_dirs/ablations/moving_shapes/seed0/branch/epoch_4.pth
# Cost: seconds.
# Result: recall over all words, and time-order pairs (chance is 50%). docs/evidence.md has
# numbers.
#
# Data: mmbt prepare world work_dirs/ablations/moving_shapes/seed0/world \
#     --held-out-words
_base_ = ['./demo_retrieval.py', '../_base_/models/tiny_objectives.py']

model = dict(mask=_base_.tiny_mask, heads=_base_.tiny_heads)  # idle; for ablations to change
test_dataloader = dict(dataset=dict(data_root='work_dirs/ablations/moving_shapes/seed0/world'))
test_evaluator = [
    dict(type='VideoTextRetrieval'),
    dict(
        type='PairOrderMetric',
        pairs_file='work_dirs/ablations/moving_shapes/seed0/world/test_pairs.json'),
]
work_dir = 'work_dirs/ablations/moving_shapes/seed0/retrieval'
