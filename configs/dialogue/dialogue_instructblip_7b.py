# mmbt chat configs/dialogue/dialogue_instructblip_7b.py VIDEO --branch branch.pth
# Cost: 100 frames through EVA-CLIP-g once, and a 7B language model, 17 GB in float16; not run.
# Result: the paper names InstructBLIP and gives no number; ours: not run.
#
# Weights: Hugging Face's form, from the hub; model.model also takes a folder.
# A branch beside EVA-CLIP-g: pretrain_webvid_eva_clip_g.py, or the authors', converted.
_base_ = ['../_base_/dialogue.py']

model = dict(type='InstructBLIPDialogue', model='Salesforce/instructblip-vicuna-7b')
