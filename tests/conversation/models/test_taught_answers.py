"""The answers that are taught: tokens by each model's way of being told one, and their loss."""
import math

import pytest
import torch

from mmbt.conversation.models import TEMPLATES, Template
from mmbt.conversation.tuning.taught_answers import (
    IGNORED,
    answer_cross_entropy,
    answer_tokens,
    check_end,
)

from .tiny_dialogue import ids, tokenizer


def tokens(template, answer='it is red', words=None):
    template = TEMPLATES.get(template, template)
    return answer_tokens(words or tokenizer(), template, template.prompt('who?'), answer)


@pytest.mark.parametrize('template, expected', [
    ('llava_v1', [*ids(' it is red'), 2]),
    ('llava_v1.5', [*ids(' it is red'), 2]),
    ('instructblip', [*ids('it is red'), 2]),
    ('minigpt4_vicuna', ids('it is red###')),
    ('minigpt4_llama2', [*ids('it is red'), 2])])
def test_each_template_has_its_own_space_and_end(template, expected):
    """No ``<s>`` before the answer, whatever the tokenizer puts before a text."""
    assert tokens(template) == expected


def test_space_around_an_answer_is_not_taught():
    assert tokens('llava_v1', '\n it is red ') == tokens('llava_v1')


@pytest.mark.parametrize('template', sorted(TEMPLATES))
def test_what_is_told_is_what_the_model_would_write(template):
    """Decoded as an answer is, up to its end."""
    words = tokenizer()
    text = words.decode(tokens(template), skip_special_tokens=True)
    stop = TEMPLATES[template].stop
    assert (text.partition(stop)[0] if stop else text).strip() == 'it is red'


class Threes:
    """Three characters a token, from the left: what stands before decides where tokens begin."""

    eos_token_id = 7

    def __call__(self, text, add_special_tokens=True):
        pieces = [text[i:i + 3] for i in range(0, len(text), 3)]
        return type('Encoding', (), dict(input_ids=pieces))


def test_where_the_prompt_s_tokens_would_change_the_answer_is_put_into_tokens_by_itself():
    """``abc`` is one token before `` red`` too; the second of ``abcd`` would be ``d r``."""
    spaced = Template('', '{video}{question}', '', ' {answer}')
    assert answer_tokens(Threes(), spaced, '<video>abc', 'red') == [' re', 'd', 7]
    assert answer_tokens(Threes(), spaced, '<video>abcd', 'red') == ['red', 7]


def test_a_model_that_cannot_be_taught_an_end_is_refused():
    words = tokenizer()
    words.eos_token = None
    check_end(words, TEMPLATES['minigpt4_vicuna'])
    with pytest.raises(ValueError, match='^the tokenizer has no token for the end of a sequence'):
        check_end(words, TEMPLATES['llava_v1'])


def test_it_is_the_mean_over_the_answers_tokens_by_hand():
    """Two rows of three tokens in a vocabulary of two.

    Row 1 has two answer tokens behind its prompt, foretold with logits (0, 0) and (ln 3, 0), so
    with 1/2 and 3/4. Row 2 has one, foretold with (0, ln 3) as token 0: 1/4. What stands at the
    last place of a row foretells nothing, nor does what stands before a place that is ignored.
    """
    three = math.log(3)
    logits = torch.tensor([[[0., 0], [three, 0], [99, -99]], [[0, three], [7, -7], [-99, 99]]])
    labels = torch.tensor([[IGNORED, 1, 0], [IGNORED, 0, IGNORED]])
    expected = (math.log(2) + math.log(4 / 3) + math.log(4)) / 3
    torch.testing.assert_close(answer_cross_entropy(logits, labels), torch.tensor(expected))


def test_nothing_is_learned_where_nothing_is_told():
    """The gradient is zero at every place but those before an answer's tokens."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 5, generator=generator, requires_grad=True)
    labels = torch.full((2, 6), IGNORED)
    labels[0, 3:] = torch.tensor([4, 1, 2])
    labels[1, 2:4] = torch.tensor([0, 2])
    answer_cross_entropy(logits, labels).backward()
    moved = logits.grad.abs().sum(dim=2) > 0
    assert moved.tolist() == [[False, False, True, True, True, False],
                              [False, True, True, False, False, False]]
    expected = logits.detach().softmax(dim=2)
    expected[0, [2, 3, 4], [4, 1, 2]] -= 1
    expected[1, [1, 2], [0, 2]] -= 1
    torch.testing.assert_close(logits.grad, expected * moved[..., None] / 5)


def test_half_precision_is_added_up_in_full():
    """4,001 tokens of a loss of about 16: a sum in float16 would end at infinity."""
    logits = torch.zeros(1, 4001, 2, dtype=torch.float16)
    logits[..., 0] = 16
    labels = torch.ones(1, 4001, dtype=torch.long)
    loss = answer_cross_entropy(logits, labels)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, torch.tensor(16 + math.log1p(math.exp(-16))))
