"""Sets of questions in their published forms, and their videos."""
import json
import re

import pytest

from mmbt.conversation.questions import (
    Question,
    find_question_videos,
    hash_questions,
    read_questions,
)

GENERAL = [dict(video_name='v_a', Q='What?', A='A dog.'),
           dict(video_name='v_b', Q='Why?', A='It plays.', more=1)]
CONSISTENCY = [dict(video_name='v_a', Q1='What?', Q2='Which?', A='A dog.')]
MSVD = [dict(video='a_1_5.avi', id=7, question='what is it?', answer='dog')]
MSRVTT = [dict(video_name='video7010', question_id='x', question='what?', answer=2)]
ANET_Q = [dict(video_name='aaaaaaaaaaa', question='is it red', question_id='v_a_1'),
          dict(video_name='bbbbbbbbbbb', question='is it blue', question_id='v_b_1')]
ANET_A = [dict(answer='yes', type=3, question_id='v_a_1'),
          dict(answer='no', type=3, question_id='v_b_1')]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes a JSON file in the working folder and returns its name."""
    monkeypatch.chdir(tmp_path)

    def file(content, name='q.json'):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return name
    return file


def test_general_entries_are_kept_whole(write):
    assert read_questions(write(GENERAL)) == [
        Question('v_a', ('What?', ), 'A dog.', GENERAL[0]),
        Question('v_b', ('Why?', ), 'It plays.', GENERAL[1])]


def test_consistency_asks_both(write):
    assert read_questions(write(CONSISTENCY)) == [
        Question('v_a', ('What?', 'Which?'), 'A dog.', CONSISTENCY[0])]


def test_qa_has_id_question_and_answer(write):
    assert read_questions(write(MSVD)) == [Question(
        'a_1_5.avi', ('what is it?', ), 'dog', dict(id=7, question='what is it?', answer='dog'))]
    assert read_questions(write(MSRVTT)) == [Question(
        'video7010', ('what?', ), '2', dict(id='x', question='what?', answer='2'))]


def test_answers_of_another_file_are_in_the_questions_order(write):
    asked = read_questions(write(ANET_Q), write(ANET_A, 'a.json'))
    assert [(each.video, *each.asked, each.answer) for each in asked] == [
        ('aaaaaaaaaaa', 'is it red', 'yes'), ('bbbbbbbbbbb', 'is it blue', 'no')]
    unnamed = [dict(answer=each['answer']) for each in ANET_A]
    assert read_questions('q.json', write(unnamed, 'a.json')) == asked


@pytest.mark.parametrize('form, name', [('msrvtt', 'video7010'), ('msvd', 'vid7010')])
def test_videos_that_are_numbers(write, form, name):
    path = write([dict(video_id=7010, id=3, question='what?', answer='dog', category_id=1)])
    assert read_questions(path, form=form)[0].video == name
    with pytest.raises(ValueError, match="'video_id' is the number 7010: name the form, msrvtt or"):
        read_questions(path)


@pytest.mark.parametrize('content, answers, form, words', [
    ({}, None, None, 'must hold a JSON list'),
    ([dict(video='a')], None, None, "no questions: .* the first has 'video'"),
    ([3], None, None, 'the first has no keys'),
    (GENERAL, None, 'other', "no form of questions 'other', choose one of general, "),
    (GENERAL, None, 'qa', "entry 0 is not of the form 'qa': 'id' or 'question_id' is missing"),
    ([*GENERAL, dict(video_name='v', Q=' ', A='x')], None, None,
     "entry 2 is not of the form 'general': 'Q' must be text, got ' '"),
    ([*GENERAL, dict(video_name='v', Q='x')], None, None, "entry 2 .*'A' must be text, got None"),
    ([dict(MSVD[0], answer=True)], None, None, "'answer' must be text, got True"),
    ([dict(MSVD[0], video=None)], None, None, "'video' or 'video_name' is missing"),
    ([*MSVD, 'text'], None, None, 'entry 1 .* no JSON object'),
    (CONSISTENCY, ANET_A, None, "'consistency' holds its answers; leave out a.json"),
    (ANET_Q, ANET_A[:1], None, 'has 2 questions and a.json 1 answers: are they of one split'),
    (ANET_Q, ANET_A[::-1], None, "entry 0 .* 'v_a_1' stands where the answers have 'v_b_1'"),
    (ANET_Q, [*ANET_A[:1], 'no'], None, 'entry 1 .* no JSON object'),
    (ANET_Q, [*ANET_A[:1], None], None, 'entry 1 .* no JSON object'),
    ([dict(MSVD[0], answer=float('nan'))], None, None, "'answer' must be text, got nan"),
    ([dict(MSVD[0], id=True)], None, None, "'id' or 'question_id' is missing"),
    ('[{"Q": "\\ud800"}]', None, None, 'q.json line 1 holds .*half of a character'),
    (ANET_Q, None, None, "'answer' must be text"),
])
def test_what_is_wrong_is_said_in_one_line(write, content, answers, form, words):
    answers = answers and write(answers, 'a.json')
    with pytest.raises(ValueError, match=words) as caught:
        read_questions(write(content), answers, form)
    assert '\n' not in str(caught.value) and 'json' in str(caught.value) or form == 'other'


def test_a_missing_file_is_named(write):
    with pytest.raises(FileNotFoundError, match='no.json is missing'):
        read_questions('no.json')


def videos_of(*names):
    return [Question(name, ('what?', ), 'dog', {}) for name in names]


def test_videos_are_found_by_name_and_the_missing_are_listed(tmp_path):
    """With and without suffix, subfolder, and the v_ of ActivityNet; as folders of frames."""
    for name in ('v_aaaaaaaaaaa.mkv', 'bbbbbbbbbbb.mp4', 'deep/video7.webm', 'plain.mp4',
                 'frames/img_1.jpg', 'v_short.mp4'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('x')
    (tmp_path / 'empty.mp4').touch()
    paths, missing = find_question_videos(
        videos_of('aaaaaaaaaaa', 'plain.avi', 'gone', 'v_bbbbbbbbbbb', 'video7', 'frames', 'empty',
                  'gone', 'plain.avi', 'short'), str(tmp_path))
    assert {name: re.sub(f'^{tmp_path}/', '', path) for name, path in paths.items()} == {
        'aaaaaaaaaaa': 'v_aaaaaaaaaaa.mkv', 'plain.avi': 'plain.mp4', 'video7': 'deep/video7.webm',
        'v_bbbbbbbbbbb': 'bbbbbbbbbbb.mp4', 'frames': 'frames'}
    assert missing == ['gone', 'empty', 'short']


def test_msvds_mapping_gives_a_video_its_other_name(tmp_path):
    for name in ('-4wsuPCjDBc_5_15.avi', 'deep/vid2.mkv', 'vid3.avi'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('x')
    mapping = tmp_path / 'youtube_mapping.txt'
    mapping.write_bytes(b'\xef\xbb\xbf-4wsuPCjDBc_5_15 vid1\r\nx_1_2 vid2\r\ny_1_2 vid4\r\n')
    paths, missing = find_question_videos(videos_of('vid1', 'x_1_2.avi', 'vid3', 'vid4'),
                                          str(tmp_path), str(mapping))
    assert paths == {'vid1': f'{tmp_path}/-4wsuPCjDBc_5_15.avi', 'vid3': f'{tmp_path}/vid3.avi',
                     'x_1_2.avi': f'{tmp_path}/deep/vid2.mkv'} and missing == ['vid4']
    for text, words in (('a_1_2 vid1\nb', 'line 2 must be'),
                        ('a vid1\nb vid1', 'line 2 gives vid1')):
        mapping.write_text(text)
        with pytest.raises(ValueError, match=f'youtube_mapping.txt {words}'):
            find_question_videos(videos_of('vid1'), str(tmp_path), str(mapping))


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='video folder .*none is missing'):
        find_question_videos(videos_of('a'), f'{tmp_path}/none')


def test_the_hash_knows_every_word_and_the_order(write):
    asked = read_questions(write(GENERAL))
    assert hash_questions(asked) == hash_questions(read_questions('q.json'))
    changed = [dict(GENERAL[0], A='A cat.'), GENERAL[1]]
    others = [hash_questions(read_questions(write(content)))
              for content in (changed, GENERAL[::-1], GENERAL[:1])]
    assert len({hash_questions(asked), *others}) == 4
