# What the dialogue models share: the branch, how a video is read, how an answer is written.
_base_ = ['./default_runtime.py']

model = dict(
    backbone=dict(type='BTAdapter', num_layers=4, num_frames=8),
    dtype='float16',
    generation=dict(do_sample=True, temperature=0.2, max_new_tokens=1024))  # as released

read_frames = dict(type='ReadFrames', num_frames=100, test_mode=True)
resize = dict(type='Resize', scale=(-1, 224))
center_crop = dict(type='CenterCrop', crop_size=224)
format_shape = dict(type='FormatShape', input_format='NCHW')
pipeline = [read_frames, resize, center_crop, format_shape]
