# mim test mmbt configs/zeroshot_k400.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 19,796 videos of 16 frames, 316,736 images through ViT-L/14; not run.
# Result (Table 9): top-1 64.3, top-5 86.7; CLIP alone 59.1, 82.8; ours: not run.
#
# Data: Kinetics-400's validation split, in MMAction2's layout
#   data/kinetics400/kinetics400_val_list_videos.txt
#       a line a video: path, space, label from 0
#   data/kinetics400/videos_val/
#   data/kinetics400/classes.txt
#       one class name a line, written as words: the name itself is the query
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/datasets/recognition.py'
]

class_file = 'data/kinetics400/classes.txt'

model = dict(
    cls_head=dict(
        type='ZeroShotHead', class_file=class_file, context_length=12, temperature=0.01))
test_dataloader = dict(
    dataset=dict(
        data_root='data/kinetics400',
        ann_file='kinetics400_val_list_videos.txt',
        data_prefix=dict(video='videos_val'),
        class_file=class_file,
        num_classes=400))
