"""Tiny dialogue models that look through a Q-Former, and how they are compared."""
import pytest
import torch

from mmbt.conversation import InstructBLIPDialogue, MiniGPT4Dialogue

from ...support.tiny_towers import in_hf_form, inner_transformer, reference
from .tiny_dialogue import blip2, instructblip, tokenizer

SIZE = 28  # of a frame for the tiny EVA
QUERIES = 5
IMAGE = 100  # the token in whose places transformers puts what the Q-Former found
FRAME_MEAN = dict(type='FrameMean')


def instructblip_dialogue(backbone=FRAME_MEAN, model=None, **change):
    return InstructBLIPDialogue(
        model or instructblip(), backbone,
        **dict(dict(tokenizer=tokenizer(), question_tokenizer=tokenizer(False)), **change))


def minigpt4_dialogue(backbone=FRAME_MEAN, model=None, **change):
    return MiniGPT4Dialogue(model or blip2(), backbone,
                            **dict(dict(tokenizer=tokenizer()), **change))


def with_layers_of_the_whole_eva(model):
    """Put ``reference('eva')``'s weights into the tower, without the layers that it lacks."""
    inner = inner_transformer(model)
    layers = len(inner.encoder.layers)
    state = in_hf_form(reference('eva').canonical_state(), 'eva')
    inner.load_state_dict({
        name: value for name, value in state.items()
        if not name.startswith('proj.')
        and (not name.startswith('encoder.') or int(name.split('.')[2]) < layers)})
    return model


def inputs(model, imgs, questions):
    """The (B, L, H) embeddings that the language model is given, and their mask."""
    return model.inputs(model.tokens(imgs), questions)


@torch.no_grad()
def logits(model, imgs, questions):
    """The (B, V) logits of the answers' first tokens."""
    embeds, mask = inputs(model, imgs, questions)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)  # as generate counts
    return model.language_model(inputs_embeds=embeds, attention_mask=mask,
                                position_ids=positions).logits[:, -1]


def saying_nothing_but(token):
    """Settings under which an answer is made of one token."""
    return dict(max_new_tokens=9, suppress_tokens=[i for i in range(101) if i != token])


def lengths_of_answers(model):
    """A list to which each later batch of answers adds how many tokens it took."""
    lengths, generate = [], model.language_model.generate

    def counted(**settings):
        tokens = generate(**settings)
        lengths.append(tokens.shape[1])
        return tokens

    model.language_model.generate = counted
    return lengths


def refused(message, build, *args, error=ValueError, **kwargs):
    """Building raises an error of one line that says what it should."""
    with pytest.raises(error, match=message) as caught:
        build(*args, **kwargs)
    assert len(str(caught.value).splitlines()) == 1
