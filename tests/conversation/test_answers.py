"""Answering the questions of a benchmark, on tiny models in folders."""
import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmbt.apis import answer_questions, init_dialogue
from mmbt.conversation.answers import hash_dialogue
from mmbt.conversation.chat import encode_frames, read_video
from mmbt.conversation.questions import find_question_videos, read_questions

from ..support.tiny import stir
from .converse_world import GENERAL, PAIRS, QA, write_world

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_world(tmp_path)
    return tmp_path


def answer(model, name='general', out='out.json', leave_out=(), **settings):
    """Answer a set; what stands in the file then."""
    questions = read_questions(f'{name}_questions.json')
    paths, _ = find_question_videos(questions, 'videos')
    paths = {video: path for video, path in paths.items() if video not in leave_out}
    failed = answer_questions(model, questions, paths, out, **settings)
    assert list(failed) == [video for video in dict.fromkeys(each.video for each in questions)
                            if video in leave_out or not is_readable(paths[video])]
    return json.loads(Path(out).read_text())


def build(config):
    """A model whose branch, which no file fills, is the same each time."""
    torch.manual_seed(0)
    return init_dialogue(config)


def is_readable(path):
    return Path(path).stat().st_size > 100


def one_by_one(model, video, *texts):
    """Each question asked by itself."""
    tokens = encode_frames(model, read_video(model, f'videos/{video}.mp4'))
    return [model.answer(tokens, [text])[0] for text in texts]


def count(module):
    """Calls of a module, as a list that grows."""
    calls = []
    module.register_forward_hook(lambda *args: calls.append(1))
    return calls


def test_answers_are_those_of_each_question_by_itself(world):
    """And they differ: by question, and by video."""
    model = init_dialogue('config.py')
    said = answer(model, batch_size=2)
    assert [{key: each[key] for key in GENERAL[0]} for each in said] == GENERAL
    for each in said:
        assert [each['pred']] == one_by_one(model, each['video_name'], each['Q'])
    assert said[0]['pred'] == said[4]['pred'] and len({each['pred'] for each in said}) == 4


def test_pairs_and_qa_have_their_published_forms(world):
    model = init_dialogue('config.py')
    expected = []
    for each in PAIRS:
        pred1, pred2 = one_by_one(model, each['video_name'], each['Q1'], each['Q2'])
        expected.append(dict(each, pred1=pred1, pred2=pred2))
    assert answer(model, 'pairs') == expected
    expected = []
    for each in QA:
        pred, = one_by_one(model, each['video'][:-4], each['question'])
        expected.append(dict(id=each['id'], question=each['question'], answer=each['answer'],
                             pred=pred))
    assert answer(model, 'qa', 'qa.json') == expected


def test_a_video_is_read_and_encoded_once_for_all_its_questions(world):
    model = init_dialogue('config.py')
    read, pipeline = [], model.pipeline
    model.pipeline = lambda results: [read.append(results['filename']), pipeline(results)][1]
    encoded = count(model.tokens)
    progress = []
    answer(model, batch_size=1, progress=lambda *each: progress.append(each))
    assert read == [f'videos/v_{name}.mp4' for name in 'abc'] and len(encoded) == 3
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_a_run_that_was_cut_short_goes_on_where_it_was(world, monkeypatch):
    """With sampled answers too: they depend on seed and video, not on what came before."""
    whole = answer(build('sampled.py'))
    model = build('sampled.py')
    generate, calls = model.answer, []

    def killed(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return generate(*args)

    monkeypatch.setattr(model, 'answer', killed)
    with pytest.raises(KeyboardInterrupt):
        answer(model, out='other.json')
    assert not Path('other.json').exists()
    model = build('sampled.py')
    before = torch.get_rng_state()
    encoded, progress = count(model.tokens), []
    assert answer(model, out='other.json', progress=lambda *each: progress.append(each)) == whole
    assert len(encoded) == 2 and progress == [(2, 3), (3, 3)]
    assert torch.equal(torch.get_rng_state(), before)
    assert answer(model, out='other.json') == whole and len(encoded) == 2
    assert answer(model, out='third.json', seed=1) != whole


def test_a_broken_video_and_a_missing_one_have_errors_and_no_answers(world):
    model = init_dialogue('config.py')
    whole = answer(model, out='whole.json')
    video = Path('videos/v_b.mp4').read_bytes()
    Path('videos/v_b.mp4').write_text('no video')
    said = answer(model, leave_out=['v_c'])
    assert [each.get('pred') for each in said] == [
        whole[0]['pred'], None, whole[2]['pred'], None, whole[4]['pred']]
    assert 'v_b.mp4' in said[1]['error'] and said[3]['error'] == 'the video is missing'
    assert 'pred' not in said[1]
    Path('videos/v_b.mp4').write_bytes(video)
    encoded = count(model.tokens)
    assert answer(model) == whole and len(encoded) == 2


def test_answers_of_another_model_set_or_seed_are_refused(world):
    model = init_dialogue('config.py')
    whole = answer(model)
    with pytest.raises(ValueError, match='another questions; write to another file'):
        answer(model, 'pairs')
    with pytest.raises(ValueError, match='another seed;'):
        answer(model, seed=1)
    stir(model.backbone.branch)
    with pytest.raises(ValueError, match='another model;'):
        answer(model)
    assert json.loads(Path('out.json').read_text()) == whole


def change(**settings):
    """The hash of the model when a setting of the config is another."""
    config = Config.fromfile('config.py')
    config.merge_from_dict({name.replace('__', '.'): value for name, value in settings.items()})
    return hash_dialogue(build(config))


def test_the_hash_knows_all_that_an_answer_depends_on(world):
    ours = change()
    others = [change(model__pooling='none'), change(model__template='llava_v1.5'),
              change(model__generation__max_new_tokens=7), change(model__dtype='float16'),
              change(model__backbone=dict(type='FrameMean', _delete_=True)),
              change(pipeline__0__num_frames=5), change(pipeline__1__scale=(-1, 16))]
    assert len({ours, *others}) == 8
    shutil.copytree('llava', 'elsewhere')
    assert change(model__model='elsewhere') == ours
    defaults = json.loads(Path('llava/generation_config.json').read_text())
    Path('llava/generation_config.json').write_text(json.dumps(dict(defaults, top_k=3)))
    assert change() != ours


def test_the_hash_is_the_same_after_use(world):
    model = init_dialogue('config.py')
    before = hash_dialogue(model)
    answer(model)
    assert hash_dialogue(model) == before


@pytest.mark.parametrize('question, words', [
    ('where is <video>?', 'question 5: <video> is where the video stands'),
])
def test_a_question_that_cannot_be_asked_is_known_before_the_work(world, question, words):
    asked = [*GENERAL, dict(video_name='v_a', Q=question, A='a')]
    Path('general_questions.json').write_text(json.dumps(asked))
    model = init_dialogue('config.py')
    encoded = count(model.tokens)
    with pytest.raises(ValueError, match=words):
        answer(model)
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        answer(model, batch_size=0)
    assert not encoded and not Path('out.json.journal').exists()
