# BT-Adapter beside OpenAI's CLIP ViT-L/14 (Sec. 4.1): 4 branch layers, 8 frames in pretraining,
# mask ratio 70%, temperature 0.01, losses weighted 1:1:1. Mask and heads act in training alone.
model = dict(
    type='VideoTextModel',
    data_preprocessor=dict(type='VideoTextDataPreprocessor'),
    trunk=dict(type='OpenCLIPTrunk', arch='ViT-L-14-quickgelu', pretrained='openai'),
    backbone=dict(type='BTAdapter', num_layers=4, num_frames=8),
    mask=dict(type='TubeMask', ratio=0.7),
    heads=[
        dict(type='VTCHead', temperature=0.01, loss_weight=1.0),
        dict(type='MBTAHead', loss_weight=1.0),
        dict(type='MBCAHead', temperature=0.01, loss_weight=1.0),
    ])
