# mim test mmbt configs/released/zeroshot_hmdb51_released.py --checkpoint OUT.pth
# Cost: about 1,530 videos of 16 frames, 24,480 images through ViT-L/14; not run.
# Result, the paper's (Table 9): top-1 54.6, top-5 79.7; ours: not run.
#
# Data: as in zeroshot_hmdb51.py; the released settings are 32 tokens of a class name.
# Weights: OUT.pth, CLIP with them, by mmbt convert IN OUT.pth; for a file
# without gates, add --cfg-options model.backbone.combination=add
_base_ = ['../zeroshot_hmdb51.py']

model = dict(backbone=dict(variant='released'), cls_head=dict(context_length=32))
