# mim train mmbt configs/pretrain_webvid_eva_clip_g.py --launcher pytorch --gpus 8
# Cost: not run.
# Result: not run.
#
# BT-Adapter beside EVA-CLIP-g, whose vision tower MiniGPT-4 and InstructBLIP have, with the
# paper's heads and settings. The released code has 16 clips a GPU too, but no MBTA, and 77 tokens.
# Weights: EVA-CLIP-g, fetched by open_clip; model.trunk.pretrained also takes a file. Its mean and
# standard deviation of pixels are OpenAI's.
_base_ = ['./pretrain_webvid.py']

model = dict(trunk=dict(arch='EVA01-g-14', pretrained='laion400m_s11b_b41k'))
train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(base_batch_size=128)  # 16 x 8 GPUs
