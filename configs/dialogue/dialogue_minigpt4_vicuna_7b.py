# mmbt chat configs/dialogue/dialogue_minigpt4_vicuna_7b.py VIDEO --branch branch.pth
# Cost: 100 frames through EVA-CLIP-g once, and a 7B language model, 17 GB in float16; not run.
# Result: the paper's Correctness 2.71, Temporal 2.56 zero-shot; MiniGPT-4 alone 2.48, 1.88
# (Table 5, which does not give the size); ours: not run.
#
# Weights: BLIP-2's tower and Q-Former from the hub (model.model also takes a folder), and
#   checkpoints/vicuna-7b-v0/                a language model and its tokenizer
#   checkpoints/pretrained_minigpt4_7b.pth   MiniGPT-4's own layer, as published
# A branch beside EVA-CLIP-g: pretrain_webvid_eva_clip_g.py, or the authors', converted.
_base_ = ['../_base_/dialogue.py']

model = dict(
    type='MiniGPT4Dialogue',
    model='Salesforce/blip2-flan-t5-xxl',
    language_model='checkpoints/vicuna-7b-v0',
    projector='checkpoints/pretrained_minigpt4_7b.pth')
