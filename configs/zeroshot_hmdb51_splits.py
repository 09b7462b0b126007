# mim test mmbt configs/zeroshot_hmdb51_splits.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: the three tests share videos, each is encoded once: at most 4,590 videos of 16 frames,
# 73,440 images through ViT-L/14; not run.
# Result: acc/split1_top1 .. acc/split3_top5 and acc/mean_top1, acc/mean_top5; the paper's (Table 9,
# it does not say of which split): top-1 54.6, top-5 79.7; ours: not run.
#
# Data: as in zeroshot_hmdb51.py, with the three lists
#   data/hmdb51/hmdb51_val_split_{1,2,3}_videos.txt
_base_ = ['./zeroshot_hmdb51.py']

test_dataloader = dict(
    dataset=dict(type='SplitVideos', ann_file='hmdb51_val_split_{split}_videos.txt'))
test_evaluator = dict(_delete_=True, type='SplitAccuracy')
