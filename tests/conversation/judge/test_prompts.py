"""How the judge is asked."""
import json
from pathlib import Path

import pytest

from mmbt.conversation.judge import METRICS, PROMPTS, load_prompts

FIELDS = dict(question='Q?', question1='Q1?', question2='Q2?', answer='right', prediction='said',
              prediction1='said1', prediction2='said2')


@pytest.mark.parametrize('name', METRICS)
def test_each_metric_tells_all_of_an_entry_once_and_the_reply_s_form(name):
    metric = METRICS[name]
    system, user = PROMPTS[metric.prompt].messages({key: FIELDS[key] for key in metric.keys})
    assert (system['role'], user['role']) == ('system', 'user')
    for field in metric.keys:
        assert user['content'].count(f': {FIELDS[field]}\n') == 1
    shape = "{'pred': 'yes', 'score': 4}" if metric.is_qa else "{'score': 4.8}"
    assert user['content'].endswith(shape)
    assert '{' not in system['content'] + user['content'].replace(shape, '')


def test_metrics_are_asked_for_apart():
    assert len({prompt.system for prompt in PROMPTS.values()}) == 6
    assert len({prompt.digest() for prompt in PROMPTS.values()}) == 6


def test_what_is_filled_in_is_not_filled_in_again():
    said = dict(question='{answer}?', answer='{prediction}', prediction='{question} {score}')
    text = PROMPTS['qa'].messages(said)[1]['content']
    assert text.startswith('Question: {answer}?\nRight answer: {prediction}\n'
                           'Answer of the program: {question} {score}\n')


def test_prompts_of_a_file_go_before_ours():
    theirs = dict(system='Be kind.', user="{question} {answer} {prediction} {'score': 4}")
    Path('p.json').write_text(json.dumps(dict(detail=theirs)))
    prompts = load_prompts('p.json')
    assert prompts['detail'].messages(dict(question='a', answer='b', prediction='c')) == [
        dict(role='system', content='Be kind.'), dict(role='user', content="a b c {'score': 4}")]
    assert {name: prompts[name] for name in PROMPTS if name != 'detail'} == {
        name: prompt for name, prompt in PROMPTS.items() if name != 'detail'}


@pytest.mark.parametrize('content, words', [
    ([], 'p.json must hold a JSON dict but holds a list: is it the file of prompts'),
    ('words', 'p.json line 1 is not valid JSON'),
    (dict(detail='text'), 'must hold'), (dict(detail=dict(user='{question}')), 'must hold'),
    (dict(detail=dict(system=3, user='x')), 'must hold'),
    (dict(other=dict(system='', user='')), "no prompt 'other', they are correctness, "),
    (dict(detail=dict(system='', user='{question} {answer}')),
     "'detail' must have the fields {answer}, {prediction}, {question}, it has {answer}, {quest"),
    (dict(detail=dict(system='', user='')), 'it has none'),
])
def test_a_file_that_would_judge_something_else_is_refused(content, words):
    text = content if isinstance(content, str) else json.dumps(content)
    Path('p.json').write_text(text)
    with pytest.raises(ValueError, match=words):
        load_prompts('p.json')


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match='file of prompts no.json is missing'):
        load_prompts('no.json')
