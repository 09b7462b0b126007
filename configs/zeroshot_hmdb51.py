# mim test mmbt configs/zeroshot_hmdb51.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 1,530 videos of 16 frames, 24,480 images through ViT-L/14; not run.
# Result (Table 9): top-1 54.6, top-5 79.7; CLIP alone 45.0, 74.4; ours: not run.
#
# Data: HMDB-51's first test split
#   data/hmdb51/hmdb51_val_split_1_videos.txt
#       a line a video: path, space, label from 0, by mmbt prepare or MMAction2; for
#       the authors' lists set delimiter='\t' and label_base=1
#   data/hmdb51/videos/
#   data/hmdb51/classes.txt
#       one class name a line, which as words is the query: brush_hair -> brush hair
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/datasets/recognition.py'
]

class_file = 'data/hmdb51/classes.txt'

model = dict(
    cls_head=dict(
        type='ZeroShotHead', class_file=class_file, context_length=12, temperature=0.01))
test_dataloader = dict(
    dataset=dict(
        data_root='data/hmdb51',
        ann_file='hmdb51_val_split_1_videos.txt',
        data_prefix=dict(video='videos'),
        class_file=class_file,
        num_classes=51))
