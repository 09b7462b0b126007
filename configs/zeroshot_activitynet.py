# mim test mmbt configs/zeroshot_activitynet.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 4,917 videos of 64 frames, 314,688 images through ViT-L/14; not run.
# Result, R@1/5/10 from text to video (Table 2): 37.0, 66.7, 78.9; CLIP alone 28.8, 57.6, 71.8;
# ours: not run.
#
# Data: ActivityNet Captions' val1 split; a video's sentences joined make its query
#   data/activitynet/anet_ret_val_1.json
#       UMT's list of {video, caption: [sentences]}, or {file: [sentences]}
#   data/activitynet/videos/
#       files are found by their names without suffix: mp4, mkv and webm occur
_base_ = ['./zeroshot_didemo.py']

test_dataloader = dict(
    dataset=dict(data_root='data/activitynet', ann_file='anet_ret_val_1.json'))
