# mim test mmbt configs/zeroshot_ucf101.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth
# Cost: about 3,783 videos of 16 frames, 60,528 images through ViT-L/14; not run.
# Result (Table 9): top-1 79.1, top-5 96.2; CLIP alone 73.5, 92.7; ours: not run.
#
# Data: UCF-101's first test split
#   data/ucf101/ucf101_val_split_1_videos.txt
#       a line a video: path, space, label from 0, by mmbt prepare or MMAction2; for
#       the authors' lists set delimiter='\t' and label_base=1
#   data/ucf101/videos/
#   data/ucf101/classes.txt
#       one class name a line, which as words is the query: YoYo -> yo yo
_base_ = [
    './_base_/default_runtime.py', './_base_/models/bt_adapter_clip_l14.py',
    './_base_/datasets/recognition.py'
]

class_file = 'data/ucf101/classes.txt'

model = dict(
    cls_head=dict(
        type='ZeroShotHead', class_file=class_file, context_length=12, temperature=0.01))
test_dataloader = dict(
    dataset=dict(
        data_root='data/ucf101',
        ann_file='ucf101_val_split_1_videos.txt',
        data_prefix=dict(video='videos'),
        class_file=class_file,
        num_classes=101))
