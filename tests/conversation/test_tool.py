"""``mmbt converse``: a benchmark answered, judged by a stub, and reported."""
import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from mmbt.apis import init_dialogue
from mmbt.cli import converse
from mmbt.conversation.chat import encode_frames, read_video
from mmbt.conversation.judge import GENERATIVE, METRICS, PROMPTS, QA

from ..search.search_world import write_clip
from ..support.tools import run
from .converse_world import GENERAL, PAIRS, write_world
from .converse_world import QA as SHORT
from .judge.stub_server import serve

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    monkeypatch.setenv('OPENAI_API_KEY', 'key')
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    write_world(tmp_path)
    return tmp_path


def answer(monkeypatch, name, *more, config='config.py', out=None):
    return run(monkeypatch, 'converse', 'answer', config, f'{name}_questions.json', '--videos',
               'videos', '--out', out or f'run/{name}.json', '--device', 'cpu', *more)


def judge(monkeypatch, stub, path, *metrics, more=()):
    return run(monkeypatch, 'converse', 'judge', path, '--metrics', *metrics, '--base-url',
               stub.url, '--model', 'stub', '--retries', '0', *more)


def read(path):
    return json.loads(Path(path).read_text())


def test_the_names_of_metrics_are_the_judge_s():
    assert (converse.GENERATIVE, converse.QA) == (GENERATIVE, QA)


def test_answers_are_the_model_s(world, monkeypatch, capsys):
    assert answer(monkeypatch, 'general') is None
    shown = capsys.readouterr()
    assert 'run/general.json: 5 of 5 questions answered' in shown.out and '3/3' in shown.err
    torch.manual_seed(0)
    model = init_dialogue('config.py')
    tokens = encode_frames(model, read_video(model, 'videos/v_b.mp4'))
    assert read('run/general.json')[1] == dict(
        GENERAL[1], pred=model.answer(tokens, ['why is that so?'])[0])
    assert answer(monkeypatch, 'general', '--batch-size', '1') is None  # nothing is left to do
    assert '5 of 5 questions answered' in capsys.readouterr().out


def test_missing_videos_stop_it_before_the_work_or_are_skipped_and_named(
        world, monkeypatch, capsys):
    Path('videos/v_a.mp4').unlink()
    message = answer(monkeypatch, 'general', config='none.py')  # not read yet
    assert re.search(r'1 of 3 videos are not in videos, all named in run/general.json.missing.txt: '
                     'v_a; put them there, or .*--skip-missing', message) and '\n' not in message
    assert Path('run/general.json.missing.txt').read_text() == 'v_a\n'
    message = answer(monkeypatch, 'general', '--skip-missing')
    assert '3 questions have no answer, since 1 videos are missing' in message
    shown = capsys.readouterr()
    assert '2 of 5 questions answered' in shown.out and 'v_a: the video is missing' in shown.err
    assert ['pred' in each for each in read('run/general.json')] == [False, True, False, True,
                                                                     False]
    write_clip(Path('videos/v_a.mp4'), 0)
    assert answer(monkeypatch, 'general') is None
    assert not Path('run/general.json.missing.txt').exists()
    for name in 'abc':
        Path(f'videos/v_{name}.mp4').unlink()
    assert '3 of 3 videos are not in' in answer(monkeypatch, 'general', '--skip-missing')


def test_a_broken_video_is_named_at_the_end(world, monkeypatch, capsys):
    Path('videos/v_b.mp4').write_text('no video')
    message = answer(monkeypatch, 'general')
    assert 'error: 1 questions have no answer' in message
    assert re.search('v_b: .*v_b.mp4', capsys.readouterr().err)
    assert sum('pred' in each for each in read('run/general.json')) == 4


def grade(question, number):
    """Right with 3.5 where the question is `is it a dog`, else wrong with 2."""
    right = 'is it a dog' in question
    return f"{{'pred': '{'yes' if right else 'no'}', 'score': {3.5 if right else 2}}}"


def test_a_benchmark_from_questions_to_report(world, monkeypatch, capsys):
    for name in ('general', 'pairs', 'qa'):
        assert answer(monkeypatch, name) is None
    with serve(grade) as stub:
        assert judge(monkeypatch, stub, 'run/general.json', 'correctness', 'detail') is None
        assert judge(monkeypatch, stub, 'run/pairs.json', 'consistency') is None
        assert judge(monkeypatch, stub, 'run/qa.json', 'msvd_qa', more=['--temperature', '0']
                     ) is None
        assert len(stub.requests) == 2 * len(GENERAL) + len(PAIRS) + len(SHORT)
        assert judge(monkeypatch, stub, 'run/pairs.json', 'consistency') is None
        assert len(stub.requests) == 2 * len(GENERAL) + len(PAIRS) + len(SHORT)
    asked = stub.requests[-2 - len(SHORT)]['messages']
    first = read('run/pairs.json')
    assert asked in [PROMPTS['consistency'].messages(
        {field: each[key] for field, key in METRICS['consistency'].keys.items()})
        for each in first]
    assert ('run/qa.msvd_qa.json: msvd_qa accuracy 50.0, score 2.50 (of fractions 2.75); '
            '2 of 2 judged, 0 failed, 0 unanswered') in capsys.readouterr().out
    assert read('run/qa.msvd_qa.json') == dict(
        metric='msvd_qa', judge='stub', temperature=0, prompts='mmbt', answers='qa.json',
        accuracy=50, yes=1, no=1, score_int=2.5, score=2.75, questions=2, judged=2, unanswered=0,
        failed=0, failures=[])
    assert run(monkeypatch, 'converse', 'exact', 'run/qa.json', '--set', 'msvd_qa') is None
    assert "not the paper's accuracy: equal 0.0, contained 0.0 of 2" in capsys.readouterr().out
    assert run(monkeypatch, 'converse', 'report', 'run', '--out', 'report') is None
    shown = capsys.readouterr().out
    assert '| Detail Orientation | 2.00 | 2.18 |' in shown
    assert '| Temporal Understanding | not run | 1.82 |' in shown
    assert '| MSVD-QA Acc | 50.0 | 51.6 |' in shown
    assert shown.startswith(Path('report/conversation.md').read_text())
    assert Image.open('report/conversation.png').size[0] > 600


def test_failures_are_named_and_end_with_an_error(world, monkeypatch, capsys):
    Path('videos/v_b.mp4').unlink()
    answer(monkeypatch, 'qa')
    with serve(lambda question, number: 500 if 'dog?' in question or 'a dog' in question
               else "{'pred': 'no', 'score': 1}") as stub:
        message = judge(monkeypatch, stub, 'run/qa.json', 'activitynet_qa')
    assert message.startswith('error: 1 answers are missing or could not be judged')
    shown = capsys.readouterr()
    assert '1 of 2 judged, 1 failed, 0 unanswered' in shown.out
    assert re.search('  4: .*status 500', shown.err)
    assert read('run/qa.activitynet_qa.json')['accuracy'] == 0
    with serve(grade) as stub:
        assert judge(monkeypatch, stub, 'run/qa.json', 'activitynet_qa') is None
    assert len(stub.requests) == 1 and read('run/qa.activitynet_qa.json')['accuracy'] == 50


def test_prompts_are_written_changed_and_used(world, monkeypatch):
    answer(monkeypatch, 'qa')
    assert run(monkeypatch, 'converse', 'prompts', 'p.json') is None
    prompts = read('p.json')
    assert prompts == {name: prompt._asdict() for name, prompt in PROMPTS.items()}
    prompts['qa']['system'] = 'Be kind.'
    Path('p.json').write_text(json.dumps(prompts))
    with serve(grade) as stub:
        assert judge(monkeypatch, stub, 'run/qa.json', 'msvd_qa', more=['--prompts', 'p.json']
                     ) is None
    assert {each['messages'][0]['content'] for each in stub.requests} == {'Be kind.'}
    assert read('run/qa.msvd_qa.json')['prompts'] == 'p.json'
    assert 'p.json is there already' in run(monkeypatch, 'converse', 'prompts', 'p.json')


@pytest.mark.parametrize('args, line', [
    (('answer', 'config.py', 'no.json', '--videos', 'videos', '--out', 'o.json'),
     'annotation file no.json is missing'),
    (('answer', 'config.py', 'qa_questions.json', '--videos', 'no', '--out', 'o.json'),
     'video folder no is missing'),
    (('answer', 'no.py', 'qa_questions.json', '--videos', 'videos', '--out', 'o.json'), 'no.py'),
    (('answer', 'config.py', 'qa_questions.json', '--videos', 'videos', '--out', 'o.json',
      '--form', 'other'), "no form of questions 'other'"),
    (('judge', 'no.json', '--metrics', 'detail'), 'no.json is missing'),
    (('judge', 'qa_questions.json', '--metrics', 'detail'), "entry 0 has no text 'Q'"),
    (('judge', 'done.json', '--metrics', 'msvd_qa', '--prompts', 'no.json'), 'no.json is missing'),
    (('judge', 'done.json', '--metrics', 'msvd_qa', '--base-url', 'here'), 'base_url must begin'),
    (('judge', 'done.json', '--metrics', 'msvd_qa', '--threads', '0'), 'threads must be at least'),
    (('exact', 'qa_questions.json', '--set', 'msvd_qa'), "entry 0 has no text 'pred'"),
    (('report', 'no', '--out', 'report'), 'folder of results no is missing'),
    (('report', '.', '--out', 'report'), 'holds no results; make them'),
])
def test_bad_input_is_one_line(world, monkeypatch, args, line):
    Path('done.json').write_text(json.dumps([dict(id=1, question='q', answer='a', pred='p')]))
    message = run(monkeypatch, 'converse', *args)
    assert message.startswith('error: ') and '\n' not in message
    assert re.search(line, message), message


def test_without_a_key_nothing_is_judged(world, monkeypatch):
    monkeypatch.delenv('OPENAI_API_KEY')
    Path('done.json').write_text(json.dumps([dict(id=1, question='q', answer='a', pred='p')]))
    message = run(monkeypatch, 'converse', 'judge', 'done.json', '--metrics', 'msvd_qa')
    assert 'OPENAI_API_KEY is not set' in message
