"""tools/data/prepare.py: every published form -> what the set's config reads, and the report."""
import csv
import importlib.util
import json
import pickle
import sys
from pathlib import Path

import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmbt.datasets.annotations import read_captions, read_labels
from mmbt.datasets.preparation import prepare
from mmbt.datasets.preparation.plain_pickle import load_plain_pickle

ROOT = Path(__file__).parents[2]
CLIP = '1004_Movie_00.00.51.926-00.00.54.129'


def write(path, content):
    """Write text, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def place(folder, *videos):
    """Files that count as videos: there and not empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        (folder / video).write_bytes(b'x')


MSRVTT_DATA = {
    'info': {}, 'videos': [{'video_id': 'video0', 'split': 'train'}],
    'sentences': [{'caption': 'one ', 'video_id': 'video0', 'sen_id': 0},
                  {'caption': 'two', 'video_id': 'video0', 'sen_id': 1},
                  {'caption': 'three', 'video_id': 'video7', 'sen_id': 2}]}
MSVD_PICKLE = {'a_1_5': [['a', 'dog', 'runs'], ['a', 'dog']], 'b_0_9': [['a', 'cat']]}
ANET = {'v_b': {'duration': 9.5, 'timestamps': [[0, 1], [1, 9]], 'sentences': [' One.', 'Two. ']},
        'v_c': {'duration': 1, 'timestamps': [[0, 1]], 'sentences': ['Three.']}}
DIDEMO = [{'video': '1@N_2.mov', 'description': 'first', 'times': [[0, 0]], 'annotation_id': 1},
          {'video': '3@N_4.avi', 'description': 'other', 'times': [[0, 0]], 'annotation_id': 2},
          {'video': '1@N_2.mov', 'description': 'second', 'times': [[1, 1]], 'annotation_id': 3}]

# (set, split, published files, videos that are there, list that is written, what it reads as)
CAPTIONS = [
    ('msrvtt', 'test', {'MSRVTT_JSFUSION_test.csv': 'key,vid_key,video_id,sentence\n'
                        'ret0,msr7,video7,"a man, folding"\nret1,msr8,video8,a cat\n'},
     ['video7.mp4', 'deep/video8.avi'], 'test_JSFUSION.json',
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
    ('lsmdc', 'test', {'LSMDC16_challenge_1000_publictect.csv': f'{CLIP}\t0\t1\t2\t3\tHe sits.\n'},
     [f'flat/{CLIP}.mp4'], 'LSMDC16_challenge_1000_publictect.csv',
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
    ('msvd', 'test', {'AllVideoDescriptions.txt': '# Descriptions, see README\n\n'
                      'a_1_5 a dog runs\nb_0_9 a cat\na_1_5 a dog\n', 'test_list.txt': 'a_1_5\n'},
     ['a_1_5.avi'], 'msvd_ret_test.json', {'a_1_5.avi': ['a dog runs', 'a dog']}),
    ('msvd', 'test', {'umt.json': [{'video': 'a_1_5.avi', 'caption': ['a dog runs', 'a dog']}]},
     ['a_1_5.avi'], 'msvd_ret_test.json', {'a_1_5.avi': ['a dog runs', 'a dog']}),
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
    (b'text', 'cannot be read as a pickle'), (b'', 'cannot be read as a pickle')])
def test_a_pickle_that_is_not_plain_is_refused(tmp_path, capsys, content, message):
    (tmp_path / 'raw-captions.pkl').write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_plain_pickle(str(tmp_path / 'raw-captions.pkl'))
    assert '\n' not in str(error.value) and capsys.readouterr().out == ''


K400_CSV = ('label,youtube_id,time_start,time_end,split\nplaying violin,abc,5,15,validate\n'
            'abseiling,-d_e,0,10,val\nzumba,xyz,3,13,train\n')
HMDB = {'brush_hair_test_split1.txt': 'a b.avi 2 \nc.avi 1 \nd.avi 0 \n',
        'wave_test_split1.txt': 'w.avi 2 \n',
        'brush_hair_test_split2.txt': 'a b.avi 1 \nc.avi 2 \n', 'wave_test_split2.txt': 'w.avi 2\n'}
UCF = {'classInd.txt': '1 ApplyEyeMakeup\n2 YoYo\n', 'testlist01.txt': 'YoYo/v_y.avi\n',
       'testlist02.txt': 'ApplyEyeMakeup/v_a.avi\r\n', 'trainlist01.txt': 'YoYo/v_t.avi 2\n'}

# (set, split, files, videos, {list: its lines}, classes)
CLASSES = [
    ('kinetics400', None, {'validate.csv': K400_CSV},
     ['playing_violin/abc_000005_000015.mp4', '-d_e_000000_000010.mkv'],
     {'kinetics400_val_list_videos.txt': [('playing_violin/abc_000005_000015.mp4', 1),
                                          ('-d_e_000000_000010.mkv', 0)]},
     ['abseiling', 'playing violin', 'zumba']),
    ('kinetics400', 'val', {'list.txt': 'air_drumming/a.mp4 1\nabseiling/b.mp4 0\n'},
     ['air_drumming/a.mp4', 'abseiling/b.mp4'],
     {'kinetics400_val_list_videos.txt': [('air_drumming/a.mp4', 1), ('abseiling/b.mp4', 0)]},
     ['abseiling', 'air drumming']),
    ('kinetics400', 'val', {'list.txt': 'a.mp4 1\n',
                            'label_map.txt': 'abseiling\ndancing (not ballet)\n'}, ['a.mp4'],
     {'kinetics400_val_list_videos.txt': [('a.mp4', 1)]}, ['abseiling', 'dancing (not ballet)']),
    ('hmdb51', None, HMDB, ['brush_hair/a b.avi', 'c.avi', 'wave/w/img_00001.jpg'],
     {'hmdb51_val_split_1_videos.txt': [('brush_hair/a b.avi', 0), ('wave/w', 1)],
      'hmdb51_val_split_2_videos.txt': [('c.avi', 0), ('wave/w', 1)]}, ['brush hair', 'wave']),
    ('hmdb51', 'train', HMDB, ['brush_hair/a b.avi', 'brush_hair/c.avi'],
     {'hmdb51_train_split_1_videos.txt': [('brush_hair/c.avi', 0)],
      'hmdb51_train_split_2_videos.txt': [('brush_hair/a b.avi', 0)]}, None),
    ('hmdb51', None, {'released_split2.txt': 'brush_hair/a b.avi\t1\nwave/w.avi\t2\n'},
     ['brush_hair/a b.avi', 'wave/w.avi'],
     {'hmdb51_val_split_2_videos.txt': [('brush_hair/a b.avi', 0), ('wave/w.avi', 1)]},
     ['brush hair', 'wave']),
    ('hmdb51', None, {'hmdb51_val_split_3_videos.txt': 'wave/w.avi 1\nbrush_hair/a.avi 0\n'},
     ['brush_hair/a.avi', 'wave/w.avi'],
     {'hmdb51_val_split_3_videos.txt': [('wave/w.avi', 1), ('brush_hair/a.avi', 0)]},
     ['brush hair', 'wave']),
    ('ucf101', 'test', UCF, ['YoYo/v_y.avi', 'ApplyEyeMakeup/v_a.avi'],
     {'ucf101_val_split_1_videos.txt': [('YoYo/v_y.avi', 1)],
      'ucf101_val_split_2_videos.txt': [('ApplyEyeMakeup/v_a.avi', 0)]},
     ['apply eye makeup', 'yo yo']),
    ('ucf101', 'train', UCF, ['v_t.mp4'],
     {'ucf101_train_split_1_videos.txt': [('v_t.mp4', 1)]}, ['apply eye makeup', 'yo yo']),
]


@pytest.mark.parametrize(('name', 'split', 'files', 'videos', 'lists', 'classes'), CLASSES)
def test_classes_in_every_published_form(tmp_path, name, split, files, videos, lists, classes):
    for file, content in files.items():
        write(tmp_path / 'published' / file, content)
    place(tmp_path / 'videos', *videos)
    counts = prepare(name, [str(tmp_path / 'published')], str(tmp_path / 'videos'),
                     str(tmp_path / 'out'), split, drop_missing=True)
    for file, expected in lists.items():
        items = read_labels(str(tmp_path / 'out' / file))
        assert [(item['video'], item['label']) for item in items] == expected
    if classes:
        assert (tmp_path / 'out' / 'classes.txt').read_text().splitlines() == classes
    assert [Path(one.written).name for one in counts] == list(lists)


WEBVID_2M = ('videoid,name,page_idx,page_dir,duration,contentUrl\n'
             '1,"A cat, ""asleep""",0,p,PT1S,u\n2,"Two\nlines",0,p,PT1S,u\n3,A dog,0,q,PT1S,u\n')
WEBVID_10M = ('videoid,contentUrl,duration,page_dir,name\n'
              '1,u,PT1S,p,"A cat, ""asleep"""\n2,u,PT1S,p,"Two\nlines"\n3,u,PT1S,q,A dog\n')


@pytest.mark.parametrize('table', [WEBVID_2M, WEBVID_10M])
def test_webvid_is_checked_and_filtered(tmp_path, table):
    path = write(tmp_path / 'published' / 'results_2M_train.csv', table)
    out = tmp_path / 'out'
    place(out / 'videos', 'p/1.mp4', 'q/3/img_00001.jpg')
    whole, = prepare('webvid', [path], out=str(out))
    assert (whole.rows, whole.there, whole.missing, whole.kept) == (3, 2, ['p/2.mp4'], 3)
    assert (out / 'missing_results_2M_train.txt').read_text() == 'p/2.mp4\n'
    with open(out / 'results_2M_train.csv', newline='') as ours, open(path, newline='') as theirs:
        assert list(csv.reader(ours)) == list(csv.reader(theirs))
    kept, = prepare('webvid', [path], out=str(out), drop_missing=True)
    assert kept.kept == 2
    assert [(entry['video'], entry['captions']) for entry in read_captions(
        str(out / 'results_2M_train.csv'), 'webvid')] == [
            ('p/1.mp4', ['A cat, "asleep"']), ('q/3.mp4', ['A dog'])]


def test_webvid_in_its_place_is_left_alone(tmp_path):
    path = write(tmp_path / 'results_2M_train.csv', WEBVID_2M)
    place(tmp_path / 'videos', 'p/1.mp4', 'p/2.mp4', 'q/3.mp4')
    counts, = prepare('webvid', [path], out=str(tmp_path))
    assert Path(path).read_text() == WEBVID_2M and counts.missing_file is None
    assert 'is read as it is' in counts.lines()[-1]
    with pytest.raises(ValueError, match='is read and would be overwritten'):
        prepare('webvid', [path], out=str(tmp_path), drop_missing=True)
    place(tmp_path / 'none', 'p/9.mp4')
    with pytest.raises(ValueError, match='none of the 3 videos is in .*none: nothing to write'):
        prepare('webvid', [path], str(tmp_path / 'none'), str(tmp_path / 'new'), drop_missing=True)
    assert not (tmp_path / 'new' / 'results_2M_train.csv').exists()


def load_tool():
    """Import the script."""
    spec = importlib.util.spec_from_file_location('prepare', ROOT / 'tools/data/prepare.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(monkeypatch, *args):
    """Run the tool in this process; return what it would print on stderr, None if it succeeds."""
    monkeypatch.setattr(sys, 'argv', ['prepare.py', *map(str, args)])
    try:
        load_tool().main()
    except SystemExit as end:
        return end.code
    return None


def test_the_report(tmp_path, monkeypatch, capsys):
    """Ten videos with a caption each and one with another; an empty file is not there."""
    entries = [{'video': f'video{i}.mp4', 'caption': 'a'} for i in range(10)]
    published = write(tmp_path / 'published' / 'msrvtt_test1k.json',
                      [*entries, {'video': 'video9.mp4', 'caption': 'b'}])
    monkeypatch.chdir(tmp_path)
    place(tmp_path / 'data/msrvtt/videos', 'video0.mp4', 'video9.mp4')
    (tmp_path / 'data/msrvtt/videos/video1.mp4').touch()
    assert run(monkeypatch, 'msrvtt', '--annotations', published) is None
    assert capsys.readouterr().out.splitlines() == [
        'msrvtt test: 11 rows, 10 videos, 11 captions (1 to 2 a video)',
        '  official: 1,000 videos, 1,000 captions: 10 videos instead of 1,000; 11 captions instead '
        'of 1,000',
        '  there: 2 of 10 videos in data/msrvtt/videos',
        '  missing: 8, all named in data/msrvtt/missing_test.txt: video1.mp4, video2.mp4, '
        'video3.mp4, video4.mp4, video5.mp4, ...',
        '  wrote data/msrvtt/test_JSFUSION.json: 10 videos',
        '  the missing ones are in it; training skips them, a test stops at the first: fetch them, '
        'or leave them out with --drop-missing']
    assert (tmp_path / 'data/msrvtt/missing_test.txt').read_text().splitlines() == [
        f'video{i}.mp4' for i in range(1, 9)]
    assert run(monkeypatch, 'msrvtt', '--annotations', published, '--drop-missing') is None
    assert '  wrote data/msrvtt/test_JSFUSION.json: 2 videos' in capsys.readouterr().out
    assert json.loads((tmp_path / 'data/msrvtt/test_JSFUSION.json').read_text()) == {
        'video0.mp4': ['a'], 'video9.mp4': ['a', 'b']}
    place(tmp_path / 'data/msrvtt/videos', *(f'video{i}.mp4' for i in range(10)))
    assert run(monkeypatch, 'msrvtt', '--annotations', published) is None
    assert not (tmp_path / 'data/msrvtt/missing_test.txt').exists()


def test_two_names_of_one_file_are_told(tmp_path):
    path = write(tmp_path / 'a.json', {'v_b.mp4': ['one'], 'b.mp4': ['two'], 'c.mp4': ['three']})
    place(tmp_path / 'videos', 'v_b.mp4')
    counts, = prepare('activitynet', [path], str(tmp_path / 'videos'), str(tmp_path / 'out'))
    assert counts.notes == ['1 videos share a file with another, and are one in it']
    assert json.loads((tmp_path / 'out' / 'anet_ret_val_1.json').read_text()) == {
        'v_b.mp4': ['one', 'two'], 'c.mp4': ['three']}


def test_official_counts_that_fit(tmp_path):
    """51 classes of 30 test videos; and about 20,000 of Kinetics may be 5 % off."""
    for i in range(51):
        write(tmp_path / 'published' / f'c_{i:02d}_test_split1.txt',
              ''.join(f'v{i}_{j}.avi 2\n' for j in range(30)))
    place(tmp_path / 'videos', 'c_00/v0_0.avi')
    counts, = prepare('hmdb51', [str(tmp_path / 'published')], str(tmp_path / 'videos'),
                      str(tmp_path / 'out'))
    assert counts.differences() == [] and 'as many here' in counts.lines()[1]
    assert (counts.videos, counts.there) == (1530, 1)
    rows = ''.join(f'c{i % 400},id{i},0,10,val\n' for i in range(19_796))
    path = write(tmp_path / 'k' / 'val.csv', f'label,youtube_id,time_start,time_end,split\n{rows}')
    place(tmp_path / 'videos', 'id0_000000_000010.mp4')
    counts, = prepare('kinetics400', [path], str(tmp_path / 'videos'), str(tmp_path / 'k'))
    assert counts.differences() == []
    assert counts.lines()[1].startswith('  official: about 20,000 videos, 400 classes')


WRONG = [
    ('flickr', {'a.json': {'a': ['b']}}, "no set 'flickr': choose one of webvid, msrvtt"),
    ('msrvtt', {'MSRVTT_data.json': MSRVTT_DATA}, 'MSRVTT_data.json holds all splits'),
    ('msrvtt', {'MSRVTT_train.9k.csv': 'video_id\nvideo0\n'}, 'train.9k.csv has no sentences'),
    ('msrvtt', {'a.csv': 'video_id\nvideo3\n', 'MSRVTT_data.json': MSRVTT_DATA},
     'MSRVTT_data.json has no caption of video3'),
    ('msrvtt', {'a.csv': 'video_id\nvideo0\n', 'b.json': {'sentences': [{'caption': 1}]}},
     'b.json sentence 0 must be an object with text in video_id and caption'),
    ('didemo', {'a.json': [{'description': 'x'}]}, 'a.json entry 0 must be an object with text in'),
    ('activitynet', {'a.json': {'v_a': {'sentences': 'x'}}}, 'a.json: v_a must be an object'),
    ('lsmdc', {'a.csv': 'clip\tx\n'}, 'a.csv line 1 has 2 tab-separated columns'),
    ('msvd', {'AllVideoDescriptions.txt': 'a_1_5 a dog\n'}, 'and the list of a split'),
    ('msvd', {'all.txt': 'a_1_5 a dog\nb\n', 'test_list.txt': 'a_1_5\n'}, 'all.txt line 2 must be'),
    ('webvid', {'a.csv': 'videoid,name\n1,x\n'}, 'a.csv has no column page_dir'),
    ('webvid', {'a.csv': 'videoid,name,page_dir\n1,x,p\n2,y\n'}, 'a.csv line 3 has 2 values'),
    ('kinetics400', {'a.csv': 'label,youtube_id\nx,y\n'}, 'a.csv has no column time_start'),
    ('kinetics400', {'a.txt': 'a.mp4 1\n'}, 'do not name its classes: give a file of class names'),
    ('hmdb51', {'wave_test_split1.txt': 'w.avi 3\n'}, 'line 1 must be a name and 0, 1 or 2'),
    ('ucf101', {'testlist01.txt': 'v_a.avi\n'}, 'testlist01.txt line 1 must be Class/file'),
    ('ucf101', {'classInd.txt': '1 Yo\n3 Ya\n', 'testlist01.txt': 'Yo/a.avi\n'},
     'classInd.txt must count its classes from 1 without a gap'),
    ('ucf101', {'list.txt': 'Yo/a.avi 0\nYo/b.avi\n'},
     'list.txt line 2 must be a path and a label'),
]


@pytest.mark.parametrize(('name', 'files', 'message'), WRONG)
def test_a_file_of_another_form_is_named(tmp_path, monkeypatch, name, files, message):
    paths = [write(tmp_path / 'published' / file, content) for file, content in files.items()]
    place(tmp_path / 'videos', 'v.mp4')
    line = run(monkeypatch, name, '--annotations', *paths, '--videos', tmp_path / 'videos',
               '--out', tmp_path / 'out')
    assert line.startswith('error: ') and message in line and '\n' not in line
    assert not (tmp_path / 'out').exists() or not list((tmp_path / 'out').iterdir())


def test_missing_files_folders_and_overwriting(tmp_path):
    path = write(tmp_path / 'out' / 'test_JSFUSION.json', {'video7.mp4': ['a']})
    videos = str(tmp_path / 'videos')
    with pytest.raises(FileNotFoundError, match='annotation file .*no.json is missing'):
        prepare('msrvtt', [str(tmp_path / 'no.json')], videos, str(tmp_path / 'new'))
    with pytest.raises(FileNotFoundError, match='video folder .*videos is missing'):
        prepare('msrvtt', [path], videos, str(tmp_path / 'new'))
    place(tmp_path / 'videos', 'other.mp4')
    with pytest.raises(ValueError, match='is read and would be overwritten: move'):
        prepare('msrvtt', [path], videos, str(tmp_path / 'out'))
    with pytest.raises(ValueError, match="no split 'tset': choose test, train, val"):
        prepare('msrvtt', [path], videos, str(tmp_path / 'new'), 'tset')
    with pytest.raises(ValueError, match='none of the 1 videos is in .*: nothing to write'):
        prepare('msrvtt', [path], videos, str(tmp_path / 'new'), drop_missing=True)
    place(tmp_path / 'videos', 'a/video7.mp4', 'b/video7.avi')
    with pytest.raises(ValueError, match="video 'video7.mp4' could be .*: keep one of them"):
        prepare('msrvtt', [path], videos, str(tmp_path / 'new'))


# (config, set, published files, video, captions or label of its first sample)
READ = [
    ('pretrain_webvid', 'webvid', {'results_2M_train.csv': WEBVID_10M}, 'p/1.mp4',
     ['A cat, "asleep"']),
    ('zeroshot_msrvtt', 'msrvtt', CAPTIONS[0][2], 'video7.mp4', ['a man, folding']),
    ('zeroshot_didemo', 'didemo', {'test_data.json': DIDEMO}, '1@N_2.mp4', ['first second']),
    ('zeroshot_lsmdc', 'lsmdc', CAPTIONS[9][2], f'{CLIP}.mp4', ['He sits.']),
    ('zeroshot_activitynet', 'activitynet', {'val_1.json': ANET}, 'v_b.mp4', ['One. Two.']),
    ('zeroshot_msvd', 'msvd', CAPTIONS[-2][2], 'a_1_5.avi', ['a dog runs', 'a dog']),
    ('zeroshot_k400', 'kinetics400', CLASSES[0][2], 'playing_violin/abc_000005_000015.mp4', 1),
    ('zeroshot_hmdb51', 'hmdb51', HMDB, 'brush_hair/a b.avi', 0),
    ('zeroshot_ucf101', 'ucf101', UCF, 'YoYo/v_y.avi', 1),
]


@pytest.mark.parametrize('frames', [False, True], ids=['file', 'frames'])
@pytest.mark.parametrize(('config', 'name', 'files', 'video', 'expected'), READ)
def test_configs_read_what_was_prepared(tmp_path, monkeypatch, make_video, config, name, files,
                                        video, expected, frames):
    """From published files to a sample, with the video as a file and as a folder of frames."""
    import cv2
    import numpy as np
    monkeypatch.chdir(tmp_path)
    for file, content in files.items():
        write(tmp_path / 'published' / file, content)
    paths = sorted(str(path) for path in (tmp_path / 'published').iterdir())
    cfg = Config.fromfile(ROOT / 'configs' / f'{config}.py')
    data = (cfg.get('test_dataloader') or cfg.train_dataloader).dataset
    path = tmp_path / data.data_root / data.data_prefix.video / video
    if frames:
        path = path.with_name(path.name[:-4])
        path.mkdir(parents=True)
        for index in range(3):
            cv2.imwrite(str(path / f'img_{index:05d}.jpg'), np.full((48, 64, 3), 50, np.uint8))
    else:
        make_video(path, num_frames=3)
    prepare(name, paths, drop_missing=True)
    if 'num_classes' in data:
        data.num_classes = None
    with DefaultScope.overwrite_default_scope('mmaction'):
        sample = DATASETS.build(data)[0]
    assert sample['inputs']['imgs'].shape[1:] == (3, 224, 224)
    label = getattr(sample['data_samples'], 'gt_label', None)
    assert expected == (sample['data_samples'].captions if label is None else label.item())
