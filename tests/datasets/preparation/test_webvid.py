"""WebVid's tables, which are read as they are."""
import csv
from pathlib import Path

import pytest

from mmbt.datasets.annotations import read_captions
from mmbt.datasets.preparation import prepare

from .published import WEBVID_2M, WEBVID_10M, place, write


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
