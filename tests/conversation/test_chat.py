"""Talking about a video: the API and tools/chat.py, on tiny models in folders."""
import io
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmbt.apis import VideoChat, init_dialogue, load_branch, save_branch
from mmbt.conversation.chat import read_video
from mmbt.models import BTAdapter, HuggingFaceTrunk
from mmbt.models.checkpoints import branch_file as branch_files

from ..datasets.conftest import GREY_STEP, write_video
from ..support.tiny import stir
from ..support.tools import run
from .models.folders import clip_folder, llava_v1_folder

ROOT = Path(__file__).parents[2]
FULL_SIZE = ROOT / 'configs/dialogue/dialogue_llava_7b.py'
QUESTIONS = ['what is it?', 'and then?']


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with models, a video of 12 grey frames, and a config over the full-size one's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    clip_folder(tmp_path / 'clip')
    llava_v1_folder(tmp_path / 'llava')
    write_video(tmp_path / 'clip.mp4')
    Path('chat.py').write_text(f"""_base_ = [{str(FULL_SIZE)!r}]
model = dict(
    model='llava', vision='clip', dtype='float32',
    backbone=dict(num_layers=3, num_frames=4),
    generation=dict(_delete_=True, max_new_tokens=6))
read_frames = dict(_base_.read_frames, num_frames=4)
resize = dict(_base_.resize, scale=(-1, 12))
center_crop = dict(_base_.center_crop, crop_size=12)
pipeline = [read_frames, resize, center_crop, _base_.format_shape]
""")
    return tmp_path


def branch_file(path, seed=1):
    """A branch trained beside the whole of the folder's CLIP."""
    torch.manual_seed(seed)
    backbone = BTAdapter(HuggingFaceTrunk('clip'), num_layers=3, num_frames=4)
    stir(backbone.branch)
    save_branch(backbone, path)
    return backbone


def test_the_video_is_read_by_the_config_s_pipeline(folder):
    """Frames 1, 4, 7 and 9 of 12, each of one grey as the video's compression left it."""
    frames = read_video(init_dialogue('chat.py'), 'clip.mp4')
    assert frames.shape == (4, 3, 12, 12) and frames.dtype is torch.uint8
    seen = frames.float().mean(dim=(1, 2, 3)) / GREY_STEP
    torch.testing.assert_close(seen, torch.tensor([1., 4., 7., 9.]), atol=0.3, rtol=0)


@pytest.mark.parametrize('arguments, expected', [
    ({}, [1., 4., 7., 10.]), (dict(by='time'), [1., 4., 7., 10.]),
    (dict(by='frame'), [1., 4., 7., 9.])])
def test_a_conversation_sees_frames_evenly_in_time(folder, arguments, expected):
    """By time those shown at 0.15, 0.45, 0.75 and 1.05 s of 1.2."""
    frames = VideoChat(init_dialogue('chat.py'), 'clip.mp4', **arguments).frames
    seen = frames.float().mean(dim=(1, 2, 3)) / GREY_STEP
    torch.testing.assert_close(seen, torch.tensor(expected), atol=0.3, rtol=0)


def test_each_question_knows_the_rounds_before_it(folder):
    model = init_dialogue('chat.py')
    chat = VideoChat(model, 'clip.mp4')
    answers = [chat.ask(question) for question in QUESTIONS]
    assert chat.history == list(zip(QUESTIONS, answers)) and all(answers)
    imgs = (chat.frames.float() - torch.tensor([122.7709383, 116.7460125, 104.09373615])
            .view(3, 1, 1)) / torch.tensor([68.5005327, 66.6321579, 70.32316305]).view(3, 1, 1)
    assert model.generate(imgs[None], QUESTIONS[:1]) == answers[:1]
    again = model.generate(imgs[None], QUESTIONS[1:], [[(QUESTIONS[0], answers[0])]])
    assert again == answers[1:]
    assert model.generate(imgs[None], QUESTIONS[1:]) != answers[1:]


def test_an_answer_is_streamed_as_it_is_written(folder):
    model = init_dialogue('chat.py')
    whole, streamed = VideoChat(model, 'clip.mp4'), VideoChat(model, 'clip.mp4')
    for question in QUESTIONS:
        parts = list(streamed.stream(question, do_sample=False))
        assert parts[-1] == whole.ask(question, do_sample=False)
        assert len(parts) > 2 and all(parts[-1].startswith(part) for part in parts)
    assert streamed.history == whole.history and len(whole.history) == 2
    beams = list(streamed.stream(QUESTIONS[0], num_beams=2, do_sample=False))
    assert beams == [whole.ask(QUESTIONS[0], num_beams=2, do_sample=False)]
    with pytest.raises(ValueError, match='<video> is where the video stands'):
        next(streamed.stream('what is <video>?'))


def test_a_stream_that_is_given_up_is_no_part_of_the_conversation(folder, monkeypatch):
    model = init_dialogue('chat.py')
    chat, asked = VideoChat(model, 'clip.mp4'), []
    answer = model.answer
    monkeypatch.setattr(model, 'answer', lambda *args, **settings: asked.append(
        answer(*args, **settings)) or asked[-1])
    stream = chat.stream(QUESTIONS[0], do_sample=False, max_new_tokens=500, min_new_tokens=500)
    first = next(stream)
    stream.close()
    assert chat.history == [] and len(model.tokenizer(asked[0][0]).input_ids) < 400
    assert asked[0][0].startswith(first)


def test_a_stream_shows_nothing_of_what_ends_an_answer(folder):
    model = init_dialogue('chat.py')
    model.template = type(model.template)('', '{video}{question}', '', '', stop='###')
    texts = {(1, ): 'a dog#', (1, 2): 'a dog##', (1, 2, 3): 'a dog## runs', (4, ): 'a ###b'}
    model.tokenizer = type('Tokenizer', (), dict(
        decode=lambda self, ids, **_: texts[tuple(ids)]))()
    assert [model.so_far(ids) for ids in texts] == ['a dog', 'a dog', 'a dog## runs', 'a']


def test_frames_are_normalised_and_sized_as_the_tower_s_folder_says(folder):
    (folder / 'clip/preprocessor_config.json').write_text(json.dumps(dict(
        image_mean=[0.5] * 3, image_std=[0.5] * 3)))
    model = init_dialogue('chat.py')
    chat = VideoChat(model, 'clip.mp4')
    expected = model.tokens((chat.frames.float() / 127.5 - 1)[None])
    torch.testing.assert_close(chat.tokens, expected, rtol=1e-4, atol=1e-5)
    config = Config.fromfile('chat.py')
    config.pipeline[2].crop_size = 10
    with pytest.raises(ValueError, match='frames of 10 x 10 pixels .* takes 12 x 12'):
        init_dialogue(config)


def test_the_video_is_encoded_once(folder, monkeypatch):
    model = init_dialogue('chat.py')
    counted = []
    model.tokens.register_forward_hook(lambda *args: counted.append(1))
    chat = VideoChat(model, 'clip.mp4')
    for question in QUESTIONS:
        chat.ask(question, max_new_tokens=1)
    assert len(counted) == 1


def test_a_model_of_single_questions_is_told_no_rounds(folder):
    model = init_dialogue('chat.py')
    chat = VideoChat(model, 'clip.mp4')
    first = chat.ask(QUESTIONS[0])
    model.template = type(model.template)(
        '', '{video}{question}', '', '', rounds=False)
    chat.ask(QUESTIONS[0])
    assert chat.ask(QUESTIONS[0]) == chat.history[1][1] and len(chat.history) == 3
    assert chat.history[0] == (QUESTIONS[0], first)


def test_a_branch_goes_before_the_config_s(folder):
    trained = branch_file('branch.pth')
    model = init_dialogue('chat.py', branch='branch.pth')
    ours = model.backbone.branch.state_dict()
    kept = {name: value for name, value in trained.branch.state_dict().items() if name in ours}
    assert kept.keys() == ours.keys() and len(kept) < len(trained.branch.state_dict())
    assert all(torch.equal(value, ours[name]) for name, value in kept.items())
    other = init_dialogue(Config.fromfile('chat.py'))
    assert not torch.equal(other.backbone.branch.cls_token, model.backbone.branch.cls_token)
    load_branch(other, 'branch.pth')
    assert torch.equal(other.backbone.branch.cls_token, model.backbone.branch.cls_token)


def test_an_untrained_branch_is_told_beside_the_answers(folder, monkeypatch, capsys):
    """Once, in a line of its own, and not among what the tool prints."""
    line = 'the BTAdapter is untrained'
    said = []
    monkeypatch.setattr(branch_files, 'print_log', lambda line, **_: said.append(line))
    branch_file('branch.pth')
    init_dialogue('chat.py', branch='branch.pth')
    config = Config.fromfile('chat.py')
    config.model.backbone = dict(type='FrameMean')
    init_dialogue(config)
    assert said == []
    init_dialogue('chat.py')
    assert len(said) == 1 and said[0].startswith(line) and said[0].endswith('branch file')
    monkeypatch.setattr(branch_files, 'print_log', lambda line, **_: print(line))
    assert run(monkeypatch, 'chat', 'chat.py', 'clip.mp4', '--device', 'cpu', '--question',
               QUESTIONS[0]) is None
    shown = capsys.readouterr()
    assert line not in shown.out and shown.err.count(line) == 1


def test_what_is_missing_is_told_before_models_are_read(folder, monkeypatch):
    monkeypatch.setattr('mmbt.conversation.chat.MODELS.build',
                        lambda settings: pytest.fail('built'))
    with pytest.raises(FileNotFoundError, match='branch file no.pth is missing'):
        init_dialogue('chat.py', branch='no.pth')
    assert run(monkeypatch, 'chat', 'chat.py', 'no.mp4', '--device', 'cpu').startswith(
        'error: no.mp4 is missing')


def test_another_clip_s_branch_is_refused(folder):
    branch_file('branch.pth')
    tower = clip_folder(folder / 'clip')
    stir(tower)
    tower.save_pretrained(folder / 'clip')
    with pytest.raises(ValueError, match='another CLIP'):
        init_dialogue('chat.py', branch='branch.pth')


def test_the_tool_answers_what_it_is_asked(folder, monkeypatch, capsys):
    branch_file('branch.pth')
    model = init_dialogue('chat.py', branch='branch.pth')
    chat = VideoChat(model, 'clip.mp4')
    expected = [chat.ask(question) for question in QUESTIONS]
    assert run(monkeypatch, 'chat', 'chat.py', 'clip.mp4', '--branch', 'branch.pth', '--device',
               'cpu', '--question', *QUESTIONS) is None
    assert capsys.readouterr().out.splitlines() == expected


def test_the_tool_holds_a_conversation(folder, monkeypatch, capsys):
    branch_file('b.pth')
    chat = VideoChat(init_dialogue('chat.py', branch='b.pth'), 'clip.mp4')
    expected = [chat.ask(question) for question in QUESTIONS]
    typed = '\n'.join([QUESTIONS[0], 'what is <video>?', QUESTIONS[1], '', 'never read'])
    monkeypatch.setattr(sys, 'stdin', io.StringIO(typed))
    assert run(monkeypatch, 'chat', 'chat.py', 'clip.mp4', '--branch', 'b.pth', '--device',
               'cpu') is None
    shown = capsys.readouterr()
    assert shown.out.splitlines() == expected
    assert 'clip.mp4: 4 frames seen' in shown.err
    assert shown.err.count('error: <video> is where the video stands') == 1


@pytest.mark.parametrize('args, line', [
    (('no.py', 'clip.mp4'), 'no.py: No such file'),
    (('chat.py', 'no.mp4'), 'no.mp4 is missing'),
    (('chat.py', 'clip.mp4', '--branch', 'no.pth'), 'branch file no.pth is missing'),
    (('chat.py', 'clip.mp4', '--cfg-options', 'model.model=no'), "model='no' is no folder here"),
    (('chat.py', 'clip.mp4', '--cfg-options', 'model.template=no'),
     'template is one of .*, got .no.'),
    (('chat.py', 'clip.mp4', '--cfg-options', 'model.pooling=no'), 'pooling is one of'),
    ((str(ROOT / 'configs/pretrain_webvid.py'), 'clip.mp4'),
     'a config of a dialogue model has a model and a pipeline'),
    (('model.py', 'clip.mp4'), 'a VideoTextModel holds no conversation'),
])
def test_bad_input_is_one_line(folder, monkeypatch, args, line):
    arch = dict(embed_dim=12, vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=1,
                                              head_width=8),
                text_cfg=dict(context_length=8, vocab_size=60, width=16, heads=2, layers=1))
    Path('model.py').write_text(
        f"pipeline = []\nmodel = {dict(type='VideoTextModel', backbone=dict(type='FrameMean'))}\n"
        f"model['trunk'] = dict(type='OpenCLIPTrunk', arch={json.dumps(arch)})\n")
    message = run(monkeypatch, 'chat', *args, '--device', 'cpu', '--question', 'q')
    assert message is not None and '\n' not in message
    assert re.search(line, message), message
