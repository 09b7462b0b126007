"""Captions of every published form become what the set's config reads."""
import json
import pickle
from pathlib import Path

import pytest

from mmbt.datasets.annotations import read_captions
from mmbt.datasets.preparation import prepare
from mmbt.datasets.preparation.plain_pickle import load_plain_pickle

from .published import (
    ANET,
    CLIP,
    DIDEMO,
    LSMDC,
    MSRVTT,
    MSRVTT_DATA,
    MSVD,
    MSVD_PICKLE,
    place,
    write,
)

pytestmark = pytest.mark.slow

# (set, split, published files, videos that are there, list that is written, what it reads as)
CAPTIONS = [
    ('msrvtt', 'test', MSRVTT, ['video7.mp4', 'deep/video8.avi'], 'test_JSFUSION.json',
     {'video7.mp4': ['a man, folding'], 'deep/video8.avi': ['a cat']}),
    ('msrvtt', 'test', {'MSRVTT_JSFUSION_test.csv': 'key,vid_key,video_id,sentence\n'
                        'ret0,msr7,video7,a man\n', 'MSRVTT_data.json': MSRVTT_DATA},
     ['video7.mp4'], 'test_JSFUSION.json', {'video7.mp4': ['a man']}),
    ('msrvtt', 'train', {'MSRVTT_train.9k.csv': 'video_id\nvideo0\n',
                         'MSRVTT_data.json': MSRVTT_DATA},
     ['video0.mp4'], 'train.json', {'video0.mp4': ['one', 'two']}),
    ('msrvtt', 'test', {'test.json': {'video7.mp4': ['a man']}}, ['video7.mp4'],
     'test_JSFUSION.json', {'video7.mp4': ['a man']}),
    ('msrvtt', 'test', {'msrvtt_test1k.json': [{'video': 'video7.mp4', 'caption': 'a man'}]},
     ['video7/img_00001.jpg'], 'test_JSFUSION.json', {'video7': ['a man']}),
    ('didemo', 'test', {'test_data.json': DIDEMO}, ['1@N_2.mp4', '3@N_4.avi.mp4'],
     'didemo_ret_test.json', {'1@N_2.mp4': ['first', 'second'], '3@N_4.avi.mp4': ['other']}),
    ('didemo', 'test', {'test_data.json': DIDEMO, 'test_list.txt': '1@N_2.mov\n'}, ['1@N_2.mov'],
     'didemo_ret_test.json', {'1@N_2.mov': ['first', 'second']}),
    ('didemo', 'test', {'umt.json': [{'video': '1@N_2.mov', 'caption': ['first', 'second']}]},
     ['1@N_2.mp4'], 'didemo_ret_test.json', {'1@N_2.mp4': ['first', 'second']}),
    ('didemo', 'test', {'dict.json': {'1@N_2.mov': ['first', 'second']}},
     ['1@N_2.mov'], 'didemo_ret_test.json', {'1@N_2.mov': ['first', 'second']}),
    ('lsmdc', 'test', LSMDC, [f'flat/{CLIP}.mp4'], 'LSMDC16_challenge_1000_publictect.csv',
     {f'1004_Movie/{CLIP}.avi': ['He sits.']}),
    ('lsmdc', 'test', {'umt.json': [{'video': f'1004_Movie/{CLIP}.avi', 'caption': 'He sits.'}]},
     [f'1004_Movie/{CLIP}/1.jpg'], 'LSMDC16_challenge_1000_publictect.csv',
     {f'1004_Movie/{CLIP}.avi': ['He sits.']}),
    ('activitynet', 'val', {'val_1.json': ANET}, ['v_b.mkv', 'c.mp4'], 'anet_ret_val_1.json',
     {'v_b.mkv': ['One.', 'Two.'], 'c.mp4': ['Three.']}),
    ('activitynet', 'val', {'val_1.json': ANET, 'val_ids.json': ['v_c']}, ['v_c.mp4'],
     'anet_ret_val_1.json', {'v_c.mp4': ['Three.']}),
    ('activitynet', 'val', {'umt.json': [{'video': 'v_b.mp4', 'caption': ['One.', 'Two.']}]},
     ['v_b.mp4'], 'anet_ret_val_1.json', {'v_b.mp4': ['One.', 'Two.']}),
    ('msvd', 'test', MSVD, ['a_1_5.avi'], 'msvd_ret_test.json',
     {'a_1_5.avi': ['a dog runs', 'a dog']}),
    ('msvd', 'test', {'umt.json': [{'video': 'a_1_5.avi', 'caption': ['a dog runs', 'a dog']}]},
     ['a_1_5.avi'], 'msvd_ret_test.json', {'a_1_5.avi': ['a dog runs', 'a dog']}),
    ('msvd', 'test', {**MSVD, 'youtube_mapping.txt': 'a_1_5 vid1\nb_0_9 vid2\n'},
     ['vid1.avi', 'vid2.avi'], 'msvd_ret_test.json', {'vid1.avi': ['a dog runs', 'a dog']}),
    ('msvd', 'test', {**MSVD, 'test_list.txt': 'vid2\n', 'map.txt': 'a_1_5 vid1\nb_0_9 vid2\n'},
     ['b_0_9.avi'], 'msvd_ret_test.json', {'b_0_9.avi': ['a cat']}),
    ('msvd', 'test', {'umt.json': [{'video': 'a_1_5.avi', 'caption': ['a dog']}],
                      'youtube_mapping.txt': 'a_1_5 vid1\n'},
     ['deep/vid1.mkv'], 'msvd_ret_test.json', {'deep/vid1.mkv': ['a dog']}),
    ('msvd', 'test', {'umt.jsonl': '{"video": "a_1_5.avi", "caption": "a\u2028dog"}\n'},
     ['a_1_5.avi'], 'msvd_ret_test.json', {'a_1_5.avi': ['a\u2028dog']}),
    ('lsmdc', 'test', {'umt.json': [{'video': f'{CLIP}.avi', 'caption': ' He\u2028sits\n\tdown.'}]},
     [f'flat/{CLIP}.mp4'], 'LSMDC16_challenge_1000_publictect.csv',
     {f'1004_Movie/{CLIP}.avi': ['He\u2028sits down.']}),
]


@pytest.mark.parametrize(('name', 'split', 'files', 'videos', 'target', 'expected'), CAPTIONS)
def test_captions_in_every_published_form(tmp_path, name, split, files, videos, target, expected):
    paths = [write(tmp_path / 'published' / file, content) for file, content in files.items()]
    place(tmp_path / 'videos', *videos)
    counts, = prepare(name, paths, str(tmp_path / 'videos'), str(tmp_path / 'out'), split)
    entries = read_captions(str(tmp_path / 'out' / target), 'lsmdc' if name == 'lsmdc' else 'json')
    assert {entry['video']: entry['captions'] for entry in entries} == expected
    texts = sum(map(len, expected.values()))
    assert (counts.videos, counts.there, counts.captions) == (len(expected), len(expected), texts)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [target]


def test_msvds_pickle_is_read_as_plain_data(tmp_path):
    """Also one as Python 2 wrote it."""
    listed = write(tmp_path / 'test_list.txt', 'a_1_5\n')
    place(tmp_path / 'videos', 'a_1_5.avi')
    for protocol in (0, 2, 4):
        (tmp_path / 'raw-captions.pkl').write_bytes(pickle.dumps(MSVD_PICKLE, protocol))
        prepare('msvd', [str(tmp_path / 'raw-captions.pkl'), listed], str(tmp_path / 'videos'),
                str(tmp_path / 'out'))
        assert json.loads((tmp_path / 'out' / 'msvd_ret_test.json').read_text()) == {
            'a_1_5.avi': ['a dog runs', 'a dog']}
    (tmp_path / 'two.pkl').write_bytes(b"(dp0\nS'a'\np1\n(lp2\nS'caf\\xc3\\xa9'\np3\nas.")
    assert load_plain_pickle(str(tmp_path / 'two.pkl')) == {'a': ['café']}


class Caller:
    """A pickle that calls a function."""

    def __reduce__(self):
        return print, ('called', )


@pytest.mark.parametrize(('content', 'message'), [
    (pickle.dumps(Caller()), 'is refused, it asks for builtins.print'),
    (pickle.dumps({'a': [Path('x')]}), 'is refused, it asks for pathlib'),
    (pickle.dumps(MSVD_PICKLE)[:40], 'cannot be read as a pickle'),
    (b'text', 'cannot be read as a pickle'), (b'', 'cannot be read as a pickle'),
    (b'\x80\x02]r\xff\xff\xff\x7fj\xff\xff\xff', 'cannot be read as a pickle'),
    (b'\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x00', 'cannot be read as a pickle'),
    (b'(' * 5_000 + b'l' * 5_000, 'cannot be read as a pickle')])
def test_a_pickle_that_is_not_plain_is_refused(tmp_path, capsys, content, message):
    (tmp_path / 'raw-captions.pkl').write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_plain_pickle(str(tmp_path / 'raw-captions.pkl'))
    assert '\n' not in str(error.value) and capsys.readouterr().out == ''


def test_a_pickle_that_repeats_itself_is_refused(tmp_path):
    """3,000 references to one list of 3,000 words: nine million words in some 30 kB."""
    words = ['word'] * 3_000
    (tmp_path / 'raw-captions.pkl').write_bytes(pickle.dumps({'a_1_5': [words] * 3_000}, 2))
    listed = write(tmp_path / 'test_list.txt', 'a_1_5\n')
    (tmp_path / 'videos').mkdir()
    with pytest.raises(ValueError, match='raw-captions.pkl names the same captions over and over'):
        prepare('msvd', [str(tmp_path / 'raw-captions.pkl'), listed], str(tmp_path / 'videos'),
                str(tmp_path / 'out'))


def test_empty_captions_are_left_out_and_said(tmp_path):
    path = write(tmp_path / 'test_data.json', [
        dict(video='a.mov', description=' '), dict(video='a.mov', description='one'),
        dict(video='b.mov', description='')])
    place(tmp_path / 'videos', 'a.mov', 'b.mov')
    counts, = prepare('didemo', [path], str(tmp_path / 'videos'), str(tmp_path / 'out'))
    assert json.loads((tmp_path / 'out/didemo_ret_test.json').read_text()) == {'a.mov': ['one']}
    assert counts.lines()[-1] == '  2 empty captions are left out'
    path = write(tmp_path / 'test_data.json', [dict(video='a.mov', description=' ')])
    with pytest.raises(ValueError, match='test_data.json: all of its 1 captions are empty'):
        prepare('didemo', [path], str(tmp_path / 'videos'), str(tmp_path / 'out'))


def test_names_of_videos_do_nothing_on_a_terminal(tmp_path):
    path = write(tmp_path / 'a.json', {'\x1b[31m\u202ex.mp4': ['x'], 'y.mp4': ['y']})
    place(tmp_path / 'videos', 'y.mp4')
    counts, = prepare('msrvtt', [path], str(tmp_path / 'videos'), str(tmp_path / 'out'))
    shown = '\n'.join(counts.lines()) + (tmp_path / 'out/missing_test.txt').read_text()
    assert shown.count(r'\x1b[31m\u202ex.mp4') == 2 and '\x1b' not in shown
    path = write(tmp_path / 'a.json', {'a\nb.mp4': ['x']})
    with pytest.raises(ValueError, match=r"a.json: 'a\\nb.mp4' is no name of a video"):
        prepare('msrvtt', [path], str(tmp_path / 'videos'), str(tmp_path / 'out'))
