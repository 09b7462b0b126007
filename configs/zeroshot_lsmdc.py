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
_base_ = ['./zeroshot_msrvtt.py']

tokenize = dict(_base_.tokenize, context_length=32)
test_pipeline = [
    _base_.read_frames, _base_.resize, _base_.center_crop, tokenize, _base_.format_shape,
    _base_.pack
]
test_dataloader = dict(
    dataset=dict(
        form='lsmdc',
        match='stem',
        data_root='data/lsmdc',
        ann_file='LSMDC16_challenge_1000_publictect.csv',
        pipeline=test_pipeline))
