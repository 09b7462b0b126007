# mim test mmbt configs/released/zeroshot_k400_released.py --checkpoint OUT.pth
# Cost: about 19,796 videos of 16 frames, 316,736 images through ViT-L/14; not run.
# Result, the paper's (Table 9): top-1 64.3, top-5 86.7; ours: not run.
#
# Data: as in zeroshot_k400.py; the released settings are 32 tokens of a class name.
# Weights: OUT.pth, CLIP with them, by mmbt convert IN OUT.pth; for a file
# without gates, add --cfg-options model.backbone.combination=add
_base_ = ['../zeroshot_k400.py']

model = dict(backbone=dict(variant='released'), cls_head=dict(context_length=32))
