# mim test mmbt configs/zeroshot_msvd.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 670 videos of 12 frames, 8,040 images through ViT-L/14, and 27,763 captions; not run.
# Result, R@1/5/10 from text to video: the paper does not report MSVD; ours: not run.
#
# Data: MSVD's test split; each caption of a video is a query of its own
#   data/msvd/msvd_ret_test.json
#       {file: [captions]} by mmbt prepare, or UMT's list of {video, caption: [captions]}
#   data/msvd/videos/
#       files are found by their names without suffix
_base_ = ['./zeroshot_lsmdc.py']

test_dataloader = dict(
    dataset=dict(form='json', data_root='data/msvd', ann_file='msvd_ret_test.json'))
