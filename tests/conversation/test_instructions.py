"""Questions with answers as VideoChatGPT-100K has them, and what is missing, broken or unusable."""
import json

import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from mmbt.conversation.tuning.instructions import read_instructions

from ..datasets.conftest import write_video

PIPELINE = [dict(type='ReadFrames', num_frames=3, test_mode=True),
            dict(type='FormatShape', input_format='NCHW'),
            dict(type='PackVideoText', meta_keys=('video_id', 'question', 'answer'))]


def entry(video, question='What?', answer='That.'):
    return dict(q=question, a=answer, video_id=video)


@pytest.fixture
def build(tmp_path):
    """Build the data set of some entries; v_1 and v_2 are there, the second elsewhere."""
    write_video(tmp_path / 'videos/v_1.mp4')
    write_video(tmp_path / 'videos/more/v_2.avi', codec='MJPG')

    def built(entries, **change):
        text = entries if isinstance(entries, str) else json.dumps(entries)
        (tmp_path / 'ann.json').write_text(text)
        with DefaultScope.overwrite_default_scope('mmaction'):
            return DATASETS.build(dict(dict(
                type='VideoInstructions', ann_file='ann.json', data_root=str(tmp_path),
                pipeline=PIPELINE, data_prefix=dict(video='videos')), **change))

    return built


def test_a_sample_is_a_question_with_its_answer(build):
    data = build([entry('v_1', ' Who? ', 'A cat.\n'), entry('v_2'), entry('v_1', 'Where?')])
    assert len(data) == 3
    samples = [data[i] for i in range(3)]
    told = [(s['data_samples'].video_id, s['data_samples'].question, s['data_samples'].answer)
            for s in samples]
    assert told == [('v_1', 'Who?', 'A cat.'), ('v_2', 'What?', 'That.'),
                    ('v_1', 'Where?', 'That.')]
    assert all(sample['inputs']['imgs'].shape == (3, 3, 48, 64) for sample in samples)
    assert set(samples[0]['inputs']) == {'imgs'}


def test_missing_videos_are_found_before_the_training(build):
    entries = [entry('v_1'), entry('v_9'), entry('v_8'), entry('v_9')]
    with pytest.raises(FileNotFoundError) as error:
        build(entries)
    assert str(error.value).startswith('2 of 3 videos of ')
    assert 'such as v_8: put them there, or set missing=' in str(error.value)
    assert '\n' not in str(error.value)


@pytest.fixture
def logged(monkeypatch):
    """What is logged while a data set is built."""
    lines = []
    monkeypatch.setattr('mmbt.datasets.annotations.print_log',
                        lambda message, **_: lines.append(message))
    return lines


def test_missing_videos_may_be_left_out_and_are_counted(build, logged):
    data = build([entry('v_1'), entry('v_9'), entry('v_2'), entry('v_9')], missing='skip')
    line, = logged
    assert line.startswith('1 of 3 videos of ') and 'such as v_9' in line
    assert line.endswith(': the 2 questions about them are left out')
    assert [data.get_data_info(i)['video_id'] for i in range(len(data))] == ['v_1', 'v_2']
    with pytest.raises(FileNotFoundError, match='^2 of 2 videos'):
        build([entry('v_8'), entry('v_9')], missing='skip')
    with pytest.raises(ValueError, match="missing must be 'fail' or 'skip', got 'no'"):
        build([entry('v_1')], missing='no')


def test_a_broken_video_is_replaced_named_and_counted(build, tmp_path):
    (tmp_path / 'videos/v_3.mp4').write_text('no video\n' * 20)
    data = build([entry('v_3'), entry('v_1')])
    sample = data[0]
    assert sample['data_samples'].video_id == 'v_1' and data.num_broken == 1
    broken, = data.broken_of_all_ranks()
    assert broken.endswith('v_3.mp4')


def test_texts_that_cannot_be_used_are_counted(build, tmp_path, logged):
    (tmp_path / 'some.json').write_text(json.dumps([
        entry('v_1'), entry('v_1', ' '), entry('v_1', answer=''), entry('v_1', 'Is <video> it?'),
        entry('v_1', answer='<video>'), entry('')]))
    entries, unusable = read_instructions(str(tmp_path / 'some.json'))
    assert entries == [dict(video='v_1', question='What?', answer='That.')] and unusable == 5
    build([entry('v_1'), entry('v_1', ''), entry('v_2')])
    assert logged == [f'{tmp_path}/ann.json: left out 1 of 3 questions, of which a text is empty '
                      'or holds <video>']
    with pytest.raises(ValueError, match='each of its 1 entries is empty or holds <video>'):
        build([entry('v_1', '')])


@pytest.mark.parametrize('entries, message', [
    ('{', 'ann.json line 1 is not valid JSON'), ({'q': 1}, 'must hold a JSON list'),
    ([], 'holds an empty list'), (['x'], "entry 0 must be an object with the texts 'q', 'a'"),
    ([entry('v_1'), dict(q='a', a='b')], 'entry 1 must be an object'),
    ([entry('v_1', question=3)], 'entry 0 must be')])
def test_another_form_is_one_line(build, entries, message):
    with pytest.raises(ValueError, match=message) as error:
        build(entries)
    assert '\n' not in str(error.value)


def test_missing_files_are_one_line(build):
    with pytest.raises(FileNotFoundError, match='annotation file .*other.json is missing'):
        build([entry('v_1')], ann_file='other.json')
    with pytest.raises(FileNotFoundError, match='video folder .*nowhere is missing'):
        build([entry('v_1')], data_prefix=dict(video='nowhere'))
