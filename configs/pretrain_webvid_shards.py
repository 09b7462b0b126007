# mim train mmbt configs/pretrain_webvid_shards.py --launcher pytorch --gpus 8
# Cost: as pretrain_webvid.py on the GPUs, a tenth or less of its reading on the CPUs; not run.
# Result: not run.
#
# Data: the clips of pretrain_webvid.py as JPEG frames, about 0.5 MB a clip, written once by
#   python tools/data/make_shards.py data/webvid/shards --config configs/pretrain_webvid.py
_base_ = ['./pretrain_webvid.py']

train_pipeline = [dict(type='ReadShardFrames', num_frames=8), *_base_.train_pipeline[1:]]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ShardedVideos',
        data_root='data/webvid',
        ann_file='shards/manifest.json',
        pipeline=train_pipeline))
