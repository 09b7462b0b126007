"""What a language model is given lies on its GPU, with no tensor left on the host."""
import pytest
import torch

from mmbt.conversation import InstructBLIPDialogue, LLaVADialogue, LLaVAV1Dialogue, MiniGPT4Dialogue
from mmbt.lab.benchmark.fake_gpu import DEVICE, fake_gpu, to_fake_gpu

from .folders import clip_folder, llava_v1_folder
from .tiny_dialogue import BRANCH, blip2, instructblip, llava, tokenizer


def models(folder):
    """Each dialogue model, and pixels of its frames."""
    words = tokenizer()
    clip_folder(folder / 'clip')
    llava_v1_folder(folder / 'llava')
    return {
        'LLaVA': (LLaVADialogue(llava(), BRANCH, tokenizer=words), 12),
        'LLaVA v1': (LLaVAV1Dialogue(str(folder / 'llava'), BRANCH, vision=str(folder / 'clip')),
                     12),
        'InstructBLIP': (InstructBLIPDialogue(instructblip(), BRANCH, tokenizer=words,
                                              question_tokenizer=tokenizer(False)), 28),
        'MiniGPT-4': (MiniGPT4Dialogue(blip2(), BRANCH, tokenizer=words), 28),
    }


@pytest.mark.parametrize('name', ['LLaVA', 'LLaVA v1', 'InstructBLIP', 'MiniGPT-4'])
def test_inputs_are_on_the_gpu(name, tmp_path):
    model, size = models(tmp_path)[name]
    dtype = next(model.parameters()).dtype
    with fake_gpu():
        to_fake_gpu(model)
        imgs = torch.empty(2, 4, 3, size, size, dtype=dtype, device=DEVICE)
        embeds, mask = model.inputs(model.tokens(imgs), ['who?', 'what is it?'])
    assert embeds.device.type == mask.device.type == DEVICE
    assert embeds.dtype is dtype and mask.shape == embeds.shape[:2]
