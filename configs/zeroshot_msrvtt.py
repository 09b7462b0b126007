# mim test mmbt configs/zeroshot_msrvtt.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 1,000 videos of 12 frames, 12,000 images through ViT-L/14; not run.
# Result, R@1/5/10 from text to video (Table 2): 40.9, 64.7, 73.5; CLIP alone 35.4, 58.8, 68.1;
# ours: not run.
#
# Data: MSR-VTT's 1K-A split, one caption a video
#   data/msrvtt/test_JSFUSION.json
#       {"video7020.mp4": ["a caption"]} as MMAction2 prepares it, or UMT's list of
#       {video, caption}; for CLIP4Clip's MSRVTT_JSFUSION_test.csv set form='msrvtt'
#   data/msrvtt/videos/video7020.mp4
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/datasets/retrieval.py'
]

test_dataloader = dict(
    dataset=dict(
        data_root='data/msrvtt',
        ann_file='test_JSFUSION.json',
        data_prefix=dict(video='videos')))
