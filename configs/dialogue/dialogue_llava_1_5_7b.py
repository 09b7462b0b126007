# mmbt chat configs/dialogue/dialogue_llava_1_5_7b.py VIDEO --branch branch.pth
# LLaVA-1.5, which the paper does not have. Its CLIP sees 336 pixels: the branch must have been
# pretrained beside that CLIP (arch='ViT-L-14-336-quickgelu'); one for 224 pixels is refused.
# Cost: 100 frames of 577 tokens through ViT-L/14, and a 7B language model; not run.
# Result: the paper has none; ours: not run.
#
# Weights: Hugging Face's form, from the hub; model.model also takes a folder.
_base_ = ['../_base_/dialogue.py']

model = dict(type='LLaVADialogue', model='llava-hf/llava-1.5-7b-hf')
resize = dict(_base_.resize, scale=(-1, 336))
center_crop = dict(_base_.center_crop, crop_size=336)
pipeline = [_base_.read_frames, resize, center_crop, _base_.format_shape]
