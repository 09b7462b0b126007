# mim test mmbt configs/demo/demo_retrieval_frame_mean.py \
#     --checkpoint work_dirs/demo/clip/epoch_16.pth
# Cost: seconds.
# Result: at chance on the pairs that differ in time order alone.
_base_ = ['./demo_retrieval.py']

model = dict(backbone=dict(_delete_=True, type='FrameMean'))
test_evaluator = [
    dict(type='VideoTextRetrieval', dump='work_dirs/demo/retrieval_frame_mean/features.npz'),
    dict(type='PairOrderMetric', pairs_file='work_dirs/demo/world/test_pairs.json'),
]
work_dir = 'work_dirs/demo/retrieval_frame_mean'
