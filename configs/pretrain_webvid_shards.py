# mim train mmbt configs/pretrain_webvid_shards.py --launcher pytorch --gpus 8
# Cost: as pretrain_webvid.py on the GPUs, a tenth or less of its reading on the CPUs; not run.
# Result: not run.
#
# Data: the clips of pretrain_webvid.py as JPEG frames, about 0.5 MB a clip, written once by
#   mmbt prepare shards data/webvid/shards --config configs/pretrain_webvid.py
_base_ = ['./pretrain_webvid.py']

read_frames = dict(_base_.read_frames, type='ReadShardFrames')
train_pipeline = [
    read_frames, _base_.random_crop, _base_.resize, _base_.tokenize, _base_.format_shape,
    _base_.pack
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ShardedVideos',
        data_root='data/webvid',
        ann_file='shards/manifest.json',
        pipeline=train_pipeline))
