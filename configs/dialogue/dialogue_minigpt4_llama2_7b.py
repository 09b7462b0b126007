# mmbt chat configs/dialogue/dialogue_minigpt4_llama2_7b.py VIDEO --branch branch.pth
# Cost: as dialogue_minigpt4_vicuna_7b.py.
# Result: the paper's Correctness 1.81, Temporal 2.15 zero-shot; MiniGPT-4 alone 1.44, 1.56
# (Table 5); ours: not run.
#
# Weights: as dialogue_minigpt4_vicuna_7b.py, but
#   checkpoints/Llama-2-7b-chat-hf/             a language model and its tokenizer
#   checkpoints/pretrained_minigpt4_llama2_7b.pth
_base_ = ['./dialogue_minigpt4_vicuna_7b.py']

model = dict(
    language_model='checkpoints/Llama-2-7b-chat-hf',
    projector='checkpoints/pretrained_minigpt4_llama2_7b.pth',
    template='minigpt4_llama2')
