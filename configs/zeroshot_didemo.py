# mim test mmbt configs/zeroshot_didemo.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 1,004 videos of 64 frames, 64,256 images through ViT-L/14; not run.
# Result, R@1/5/10 from text to video (Table 2): 35.6, 61.9, 72.6; CLIP alone 30.3, 54.9, 65.4;
# ours: not run.
#
# Data: DiDeMo's test split; a video's sentences joined make its query
#   data/didemo/didemo_ret_test.json
#       {file: [sentences]}, or UMT's list of {video, caption: [sentences]}
#   data/didemo/videos/
#       files are found by their names without suffix, which differs between copies
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/datasets/retrieval.py'
]

read_frames = dict(_base_.read_frames, num_frames=64)
tokenize = dict(_base_.tokenize, context_length=64)
test_pipeline = [
    read_frames, _base_.resize, _base_.center_crop, tokenize, _base_.format_shape, _base_.pack
]
test_dataloader = dict(
    batch_size=2,
    dataset=dict(
        join_captions=True,
        match='stem',
        data_root='data/didemo',
        ann_file='didemo_ret_test.json',
        data_prefix=dict(video='videos'),
        pipeline=test_pipeline))
