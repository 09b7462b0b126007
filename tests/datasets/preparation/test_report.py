"""What tools/data/prepare.py says: counts, what is missing, and files of another form."""
import json

import pytest

from mmbt.cli.prepare import SETS
from mmbt.datasets.preparation import NAMES, prepare

from .published import MSRVTT_DATA, place, run, write


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


def test_a_set_that_is_not_known(monkeypatch, capsys):
    assert run(monkeypatch, 'flickr', '--annotations', 'a.json') == 2
    assert "invalid choice: 'flickr' (choose from 'webvid', 'msrvtt'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no set 'flickr': choose one of webvid, msrvtt"):
        prepare('flickr', ['a.json'])
    assert set(SETS) == set(NAMES)
