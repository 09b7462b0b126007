# mim test mmbt configs/zeroshot_ucf101_splits.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: the three tests have 11,213 videos of 16 frames, 179,408 images through ViT-L/14; a video
# of several is encoded once; not run.
# Result: acc/split1_top1 .. acc/split3_top5 and acc/mean_top1, acc/mean_top5; the paper's (Table 9,
# it does not say of which split): top-1 79.1, top-5 96.2; ours: not run.
#
# Data: as in zeroshot_ucf101.py, with the three lists
#   data/ucf101/ucf101_val_split_{1,2,3}_videos.txt
_base_ = ['./zeroshot_ucf101.py']

test_dataloader = dict(
    dataset=dict(type='SplitVideos', ann_file='ucf101_val_split_{split}_videos.txt'))
test_evaluator = dict(_delete_=True, type='SplitAccuracy')
