"""Every prompt, letter for letter."""
import re

import pytest

from mmbt.conversation.models import TEMPLATES

HUMAN = ('A chat between a curious human and an artificial intelligence assistant. The assistant '
         "gives helpful, detailed, and polite answers to the human's questions. ")
USER = ('A chat between a curious user and an artificial intelligence assistant. The assistant '
        "gives helpful, detailed, and polite answers to the user's questions. ")
IMAGE = ('Give the following image: <Img>ImageContent</Img>. You will be able to see the image '
         'once I provide it to you. Please answer my questions.')

QUESTION = 'Who runs?'
ONE = {
    'llava_v1': HUMAN + 'USER: <video>\nWho runs? ASSISTANT:',
    'llava_v1.5': USER + 'USER: <video>\nWho runs? ASSISTANT:',
    'instructblip': '<video>Who runs?',
    'minigpt4_vicuna': IMAGE + '###Human: <Img><video></Img> Who runs?###Assistant: ',
    'minigpt4_llama2': IMAGE + '<s>[INST] <Img><video></Img> Who runs? [/INST] ',
}

HISTORY = [('What is it?', 'A dog.'), ('Where?', 'In a park.')]
THREE = {
    'llava_v1': HUMAN + 'USER: <video>\nWhat is it? ASSISTANT: A dog.</s>USER: Where? ASSISTANT: '
                        'In a park.</s>USER: Who runs? ASSISTANT:',
    'llava_v1.5': USER + 'USER: <video>\nWhat is it? ASSISTANT: A dog.</s>USER: Where? ASSISTANT: '
                         'In a park.</s>USER: Who runs? ASSISTANT:',
    'minigpt4_vicuna': IMAGE + '###Human: <Img><video></Img> What is it?###Assistant: A dog.'
                               '###Human: Where?###Assistant: In a park.'
                               '###Human: Who runs?###Assistant: ',
    'minigpt4_llama2': IMAGE + '<s>[INST] <Img><video></Img> What is it? [/INST] A dog.'
                               '<s>[INST] Where? [/INST] In a park.'
                               '<s>[INST] Who runs? [/INST] ',
}
STOPS = {'minigpt4_vicuna': '###'}
ODD = ['{question}', '{video}', 'a {answer} and {} and {0} and %s', '{question} {video} \\1 $&']


def refused(message, name, *rounds):
    """The error is of one line and says what it should."""
    with pytest.raises(ValueError, match=message) as caught:
        TEMPLATES[name].prompt(*rounds)
    assert len(str(caught.value).splitlines()) == 1


def test_these_are_all():
    assert set(TEMPLATES) == set(ONE) == {*THREE, 'instructblip'}
    assert {name: each.stop for name, each in TEMPLATES.items() if each.stop} == STOPS


@pytest.mark.parametrize('name', ONE)
def test_one_question(name):
    assert TEMPLATES[name].prompt(QUESTION) == ONE[name]
    assert TEMPLATES[name].prompt(QUESTION, history=[]) == ONE[name]


@pytest.mark.parametrize('name', THREE)
def test_two_rounds_stand_before_the_question(name):
    assert TEMPLATES[name].prompt(QUESTION, HISTORY) == THREE[name]


@pytest.mark.parametrize('odd', ODD)
@pytest.mark.parametrize('name', ONE)
def test_braces_in_a_text_are_text(name, odd):
    """In the question now, and in an earlier question and answer."""
    template = TEMPLATES[name]
    assert template.prompt(odd) == ONE[name].replace('Who runs?', odd)
    if template.rounds:
        expected = re.sub('Who runs[?]|Where[?]|A dog[.]', lambda _: odd, THREE[name])
        assert template.prompt(odd, [('What is it?', odd), (odd, 'In a park.')]) == expected


@pytest.mark.parametrize('name', ONE)
def test_an_empty_question_is_refused(name):
    for empty in ('', ' \n'):
        refused('^the question is empty; ask something about the video$', name, empty)


@pytest.mark.parametrize('name', THREE)
def test_the_videos_place_in_a_text_is_refused(name):
    message = '^<video> is where the video stands and no word of a question or an answer, got '
    text = 'see <video>\nhere'
    for rounds in ((text, ), ('Who?', [(text, 'A dog.')]), ('Who?', [('What?', text)])):
        refused(message + re.escape(repr(text)) + '$', name, *rounds)


def test_instructblip_knows_no_earlier_rounds():
    refused('^this model knows single questions; leave out the earlier rounds$', 'instructblip',
            QUESTION, HISTORY)
