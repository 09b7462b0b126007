# mim test mmbt configs/zeroshot_lsmdc.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 1,000 videos of 12 frames, 12,000 images through ViT-L/14; not run.
# Result, R@1/5/10 from text to video (Table 2): 19.5, 35.9, 45.0; CLIP alone 17.0, 31.8, 40.3;
# ours: not run.
#
# Data: LSMDC's 1,000 public test clips
#   data/lsmdc/LSMDC16_challenge_1000_publictect.csv
#       as CLIP4Clip reads it, tab-separated: clip, four times, sentence
#   data/lsmdc/videos/
#       movie/clip.avi, or any layout: files are found by the clips' names
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/datasets/retrieval.py'
]

test_pipeline = [
    dict(type='ReadFrames', num_frames=12, test_mode=True),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='TokenizeText', context_length=32, caption='all'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackVideoText'),
]
test_dataloader = dict(
    dataset=dict(
        form='lsmdc',
        match='stem',
        data_root='data/lsmdc',
        ann_file='LSMDC16_challenge_1000_publictect.csv',
        data_prefix=dict(video='videos'),
        pipeline=test_pipeline))
