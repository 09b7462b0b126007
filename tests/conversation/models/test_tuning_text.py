"""The tokens of an answer, by each model's way of being told one."""
import pytest

from mmbt.conversation.models import TEMPLATES, Template
from mmbt.conversation.tuning.text import answer_tokens, check_end

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
