# mim test mmbt configs/demo/demo_recognition_frame_mean.py \
#     --checkpoint work_dirs/demo/clip/epoch_16.pth
# Cost: seconds.
# Result: cannot tell a motion from its reverse.
_base_ = ['./demo_recognition.py']

model = dict(backbone=dict(_delete_=True, type='FrameMean'))
work_dir = 'work_dirs/demo/recognition_frame_mean'
