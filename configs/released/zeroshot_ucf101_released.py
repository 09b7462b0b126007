# mim test mmbt configs/released/zeroshot_ucf101_released.py --checkpoint OUT.pth
# Cost: about 3,783 videos of 16 frames, 60,528 images through ViT-L/14; not run.
# Result, the paper's (Table 9): top-1 79.1, top-5 96.2; ours: not run.
#
# Data: as in zeroshot_ucf101.py; the released settings are 32 tokens of a class name.
# Weights: OUT.pth, CLIP with them, by mmbt convert IN OUT.pth; for a file
# without gates, add --cfg-options model.backbone.combination=add
_base_ = ['../zeroshot_ucf101.py']

model = dict(backbone=dict(variant='released'), cls_head=dict(context_length=32))
