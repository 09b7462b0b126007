# mmbt chat configs/dialogue/dialogue_llava_7b.py VIDEO --branch branch.pth
# Cost: 100 frames through ViT-L/14 once, and a 7B language model, 15 GB in float16; not run.
# Result: the paper's Correctness 2.16, Temporal 2.13 zero-shot; LLaVA alone 2.06, 1.78 (Table 5);
# ours: not run.
#
# Weights: a folder of LLaVA v1 in its authors' form
#   checkpoints/LLaVA-7b-v1/
#       config.json, the tokenizer, and a language model with model.mm_projector
# OpenAI's CLIP ViT-L/14 comes from the hub; model.vision also takes a folder.
# A branch file comes from pretraining: branch_epoch_1.pth, or mmbt.apis.save_branch.
_base_ = ['../_base_/dialogue.py']

model = dict(type='LLaVAV1Dialogue', model='checkpoints/LLaVA-7b-v1')
