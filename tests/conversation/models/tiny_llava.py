"""Tiny LLaVAs whose answers tell videos apart, and what the tests ask of them."""
import pytest
import torch

from mmbt.conversation import LLaVADialogue

from ...support.tiny import stir
from .tiny_dialogue import BRANCH, tokenizer
from .tiny_dialogue import llava as dull_llava

FRAME_MEAN = dict(type='FrameMean')
GREEDY = dict(max_new_tokens=12, min_new_tokens=12, do_sample=False)
ASKED = ['who?', 'what happens in the end?', 'is it red or blue']


def llava(**change):
    """A tiny LLaVA whose attention picks few tokens, so that its answers tell videos apart."""
    model = dull_llava(**change)
    for name, weight in model.named_parameters():
        if 'q_proj' in name and 'vision' not in name:
            weight.data.mul_(6)
    return model


def dialogue(backbone=BRANCH, model=None, **arguments):
    """LLaVA beside a stirred branch, in double precision."""
    torch.manual_seed(7)
    built = LLaVADialogue(model or llava(), backbone, tokenizer=tokenizer(), **arguments)
    if hasattr(built.backbone, 'branch'):
        stir(built.backbone.branch)
    return built


def inputs(model, imgs, questions, histories=None):
    return model.inputs(model.tokens(imgs), questions, histories)


def next_logits(model, *asked):
    """What the language model makes of the first token of each answer."""
    embeds, mask = inputs(model, *asked)
    with torch.no_grad():
        return model.language_model(inputs_embeds=embeds, attention_mask=mask).logits[:, -1]


def refused(message, *args, error=ValueError, **kwargs):
    """The error is of one line and says what it should."""
    with pytest.raises(error, match=message) as caught:
        LLaVADialogue(*args, **kwargs)
    assert len(str(caught.value).splitlines()) == 1
