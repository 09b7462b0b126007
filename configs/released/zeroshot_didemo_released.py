# mim test mmbt configs/released/zeroshot_didemo_released.py --checkpoint OUT.pth
# Cost: about 1,004 videos of 64 frames, 64,256 images through ViT-L/14; not run.
# Result, the paper's R@1/5/10 from text to video (Table 2): 35.6, 61.9, 72.6; ours: not run.
#
# Data: as in zeroshot_didemo.py; the released settings are 77 tokens, short side 256.
# Weights: OUT.pth, CLIP with them, by mmbt convert IN OUT.pth; for a file
# without gates, add --cfg-options model.backbone.combination=add
_base_ = ['../zeroshot_didemo.py']

model = dict(backbone=dict(variant='released'))

resize = dict(_base_.resize, scale=(-1, 256))
tokenize = dict(_base_.tokenize, context_length=77)
test_pipeline = [
    _base_.read_frames, resize, _base_.center_crop, tokenize, _base_.format_shape, _base_.pack
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
