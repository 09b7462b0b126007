"""Every reader of a text file takes a byte-order mark, CRLF, and what only looks like a line's end.

And what is empty or there twice is counted and said, never silent.
"""
import json

import pytest

from mmbt.conversation.judge import METRICS, load_prompts, read_answers
from mmbt.conversation.questions import read_questions
from mmbt.conversation.tuning.instructions import read_instructions
from mmbt.datasets.annotations import read_captions, read_labels
from mmbt.datasets.preparation.msvd import read_msvd_files
from mmbt.datasets.preparation.published import (
    read_activitynet_files,
    read_didemo_files,
    read_lsmdc_files,
    read_msrvtt_files,
)
from mmbt.datasets.preparation.recognition import (
    read_hmdb_files,
    read_kinetics_files,
    read_ucf_files,
)
from mmbt.datasets.preparation.webvid import _rows
from mmbt.datasets.video_files import StemIndex, read_mapping
from mmbt.models.class_names import read_classes

SAID = 'he\u2028sits\x85\x0bdown\x1c'  # one sentence
CLIP = '1004_Movie_00.00.51.926-00.00.54.129'


def listed(entries):
    return [(entry['video'], entry['captions']) for entry in entries]


def labelled(published):
    return [(listing.number, listing.videos) for listing in published.listings], published.classes


# name -> files, the first of them damaged; how they are read; what they hold
DOORS = {
    'dict': ({'a.json': {'a.mp4': [SAID]}}, lambda path: listed(read_captions(path, 'dict')),
             [('a.mp4', [SAID])]),
    'list': ({'a.json': [{'video': 'a.mp4', 'caption': SAID}]},
             lambda path: listed(read_captions(path, 'list')), [('a.mp4', [SAID])]),
    'lines': ({'a.jsonl': f'{json.dumps({"video": "a.mp4", "caption": SAID})}\n'},
              lambda path: listed(read_captions(path, 'json')), [('a.mp4', [SAID])]),
    'webvid': ({'a.csv': f'videoid,page_dir,name\n1,p,"{SAID}"\n'},
               lambda path: listed(read_captions(path, 'webvid')), [('p/1.mp4', [SAID])]),
    'msrvtt': ({'a.tsv': f'video_id\tsentence\nv1\t{SAID}\n'},
               lambda path: listed(read_captions(path, 'msrvtt')), [('v1.mp4', [SAID])]),
    'lsmdc': ({'a.csv': f'{CLIP}\t0\t1\t2\t3\tHe {SAID}!\n'},
              lambda path: listed(read_captions(path, 'lsmdc')),
              [(f'1004_Movie/{CLIP}.avi', [f'He {SAID}!'])]),
    'labels': ({'a.txt': 'a b.avi 0\nc\u2028.avi 1\n'},
               lambda path: [(each['video'], each['label']) for each in read_labels(path)],
               [('a b.avi', 0), ('c\u2028.avi', 1)]),
    'classes': ({'c.txt': 'abseiling\nair drumming\n'}, read_classes,
                ['abseiling', 'air drumming']),
    'instructions': ({'i.json': [dict(q=f'{SAID}?', a='x', video_id='v')]},
                     lambda path: read_instructions(path)[0][0]['question'], f'{SAID}?'),
    'questions': ({'q.json': [dict(video_name='v', Q=f'{SAID}?', A='x')]},
                  lambda path: read_questions(path)[0].asked, (f'{SAID}?', )),
    'answers': ({'q.json': [dict(video_name='v', Q='q', A='a', pred=SAID)]},
                lambda path: read_answers(path, METRICS['detail'])[0].fields['prediction'], SAID),
    'prompts': ({'p.json': dict(detail=dict(system=SAID, user='{question}{answer}{prediction}'))},
                lambda path: load_prompts(path)['detail'].system, SAID),
    'mapping': ({'m.txt': 'a_1_5 vid1\nb_1_5 vid2\n'}, lambda path: read_mapping(path)('a_1_5.avi'),
                ['vid1']),
    'prepare webvid': ({'a.csv': f'videoid,page_dir,name\n1,p,"{SAID}"\n'},
                       lambda path: list(_rows(path))[1], ['1', 'p', SAID]),
    'prepare msrvtt': ({'a.csv': 'video_id\nv1\n', 'd.json': {'sentences': [
        {'video_id': 'v1', 'caption': f'He {SAID}!'}]}},
        lambda *paths: read_msrvtt_files([*paths])[0], {'v1.mp4': [f'He {SAID}!']}),
    'prepare didemo': ({'l.txt': 'v1.mov\n', 'd.json': [
        {'video': 'v1.mov', 'description': f'He {SAID}!'}]},
        lambda *paths: read_didemo_files([*paths])[0], {'v1.mov': [f'He {SAID}!']}),
    'prepare activitynet': ({'l.json': ['v_1'], 'd.json': {'v_1': {'sentences': [f'He {SAID}!']}}},
                            lambda *paths: read_activitynet_files([*paths])[0],
                            {'v_1': [f'He {SAID}!']}),
    'prepare lsmdc': ({'a.csv': f'{CLIP}\t0\t1\t2\t3\tHe {SAID}!\n'},
                      lambda path: read_lsmdc_files([path])[0],
                      {f'1004_Movie/{CLIP}.avi': [f'He {SAID}!']}),
    'prepare msvd': ({'d.txt': f'# read me\na_1_5 he {SAID}!\n', 'l.txt': 'a_1_5\n'},
                     lambda *paths: read_msvd_files([*paths])[0], {'a_1_5.avi': [f'he {SAID}!']}),
    'prepare kinetics': ({'v.csv': 'label,youtube_id,time_start,time_end\nair drumming,x,1,2\n'},
                         lambda path: labelled(read_kinetics_files([path], 'val')),
                         ([(None, {'x_000001_000002.mp4': 'air drumming'})], ['air drumming'])),
    'prepare hmdb': ({'wave_test_split1.txt': 'w.avi 2\nx.avi 1\n'},
                     lambda path: labelled(read_hmdb_files([path], 'val')),
                     ([(1, {'wave/w.avi': 'wave'})], ['wave'])),
    'prepare ucf': ({'classInd.txt': '1 YoYo\n', 'testlist01.txt': 'YoYo/y.avi\n'},
                    lambda *paths: labelled(read_ucf_files([*paths], 'val')),
                    ([(1, {'YoYo/y.avi': 'YoYo'})], ['YoYo'])),
}


@pytest.mark.parametrize('bom', [b'', b'\xef\xbb\xbf'], ids=['plain', 'BOM'])
@pytest.mark.parametrize('end', [b'\n', b'\r\n'], ids=['LF', 'CRLF'])
@pytest.mark.parametrize('door', DOORS)
def test_a_mark_and_the_ends_of_lines_change_nothing(tmp_path, door, bom, end):
    files, read, expected = DOORS[door]
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(
            content, indent=1, ensure_ascii=False)
        (tmp_path / name).write_bytes(bom + text.encode().replace(b'\n', end))
    assert read(*(str(tmp_path / name) for name in files)) == expected


@pytest.mark.parametrize('door', DOORS)
def test_latin_1_is_refused_with_file_and_line(tmp_path, door):
    files, read, _ = DOORS[door]
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (tmp_path / name).write_text(text, encoding='utf-8')
    first = tmp_path / next(iter(files))
    data = first.read_bytes().rstrip(b'\n')
    first.write_bytes(data + b'\n\xe9\n')
    line = data.count(b'\n') + 2
    with pytest.raises(ValueError, match=f'{first.name} is not UTF-8 text: line {line} holds the'):
        read(*(str(tmp_path / name) for name in files))


@pytest.fixture
def logged(monkeypatch):
    """What is warned of."""
    lines = []
    monkeypatch.setattr('mmbt.datasets.annotations.print_log',
                        lambda message, **_: lines.append(message))
    return lines


@pytest.mark.parametrize('form, text', [
    ('dict', '{"a.mp4": ["x", " ", "y"], "b.mp4": "", "c.mp4": ["z"]}'),
    ('list', '[{"video": "a.mp4", "caption": ["x", " ", "y"]}, {"video": "b.mp4", "caption": ""},'
             '{"video": "c.mp4", "caption": "z"}]'),
    ('webvid', 'videoid,page_dir,name\na,.,x\na,.," "\na,.,y\nb,.,\nc,.,z\n')])
def test_empty_captions_are_left_out_and_counted(tmp_path, logged, form, text):
    path = tmp_path / 'ann'
    path.write_text(text)
    assert [captions for _, captions in listed(read_captions(str(path), form))] == [
        ['x', 'y'], ['z']]
    line, = logged
    assert line.startswith(f'{path}: 2 of 5 captions are empty, such as one of ')
    assert line.endswith('left out, and with them 1 videos, which have no other')


def test_captions_that_are_all_empty_are_an_error(tmp_path):
    (tmp_path / 'ann').write_text('{"a.mp4": ["", " "]}')
    with pytest.raises(ValueError, match='ann: all of its 2 captions are empty'):
        read_captions(str(tmp_path / 'ann'), 'dict')


def test_a_video_that_is_a_key_twice_keeps_all_captions(tmp_path, logged):
    (tmp_path / 'ann').write_text('{"a.mp4": ["x"], "b.mp4": ["y"], "a.mp4": ["z"]}')
    assert listed(read_captions(str(tmp_path / 'ann'), 'json')) == [('a.mp4', ['x', 'z']),
                                                                   ('b.mp4', ['y'])]
    line, = logged
    assert "ann: 1 keys occur twice in one object, such as 'a.mp4'; of a video that is" in line


def test_a_video_that_is_listed_twice_is_said(tmp_path, logged):
    (tmp_path / 'l.txt').write_text('a.avi 0\nb.avi 1\na.avi 1\n')
    assert len(read_labels(str(tmp_path / 'l.txt'))) == 3
    assert logged == [f'{tmp_path}/l.txt: 1 lines repeat a video, such as a.avi (lines 1 and 3); '
                      'each line counts']


@pytest.mark.parametrize('video', ['', ' ', 'a\\u0000.mp4'])
def test_what_is_no_name_of_a_video_is_refused(tmp_path, video):
    (tmp_path / 'ann').write_text(f'{{"{video}": ["x"]}}')
    with pytest.raises(ValueError, match='ann: .* is no name of a video'):
        read_captions(str(tmp_path / 'ann'), 'dict')


def test_a_class_without_words_is_refused(tmp_path):
    (tmp_path / 'c.txt').write_text('run\n_\nsit\n')
    with pytest.raises(ValueError, match="c.txt line 2: '_' is no name of a class"):
        read_classes(str(tmp_path / 'c.txt'))
    assert read_classes(str(tmp_path / 'c.txt'), 'raw') == ['run', '_', 'sit']
    for name in ('___', '_ _'):
        (tmp_path / 'c.txt').write_text(f'{name}\n')
        with pytest.raises(ValueError, match='line 1: .* is no name of a class'):
            read_classes(str(tmp_path / 'c.txt'))


def test_what_lies_beside_a_video_is_never_taken_for_it(tmp_path):
    for name in ('x.json', 'x.txt', 'x.srt', 'x.mp4.json', 'x.mp4.part', 'x.jpg', '.x.mp4', 'x',
                 'x.dat', 'y.vtt', 'y.info.json', 'z.unknown', 'deep/x.en.srt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('x')
    gone = StemIndex(str(tmp_path / 'deep'))
    assert gone.find('x') == str(tmp_path / 'deep/x')
    (tmp_path / 'deep/x.mkv').write_text('x')
    index = StemIndex(str(tmp_path))
    for name in ('x.mp4', 'x.avi', 'movie/x.mp4'):
        assert index.find(name) == str(tmp_path / 'deep/x.mkv')
    assert index.find('y.mp4') == str(tmp_path / 'y.mp4')  # which is not there
    assert index.find('z.mp4') == str(tmp_path / 'z.unknown')
