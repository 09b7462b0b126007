"""Records that outlive a kill, and are not mixed with those of something else."""
import json

import pytest

from mmbt.files.append_log import Journal

pytestmark = pytest.mark.slow

MADE_BY = dict(model='a', seed=0)


def write(path, *records, made_by=MADE_BY):
    with Journal(path, made_by) as journal:
        for record in records:
            journal.append(record)


def read(path, made_by=MADE_BY):
    with Journal(path, made_by) as journal:
        return journal.records


def test_records_are_added_to_those_that_are_there(tmp_path):
    path = tmp_path / 'new' / 'file.journal'
    write(path)
    assert read(path) == []
    write(path, dict(n=1), dict(n=2))
    write(path, dict(text='zwölf \ud800\n'))
    assert read(path) == [dict(n=1), dict(n=2), dict(text='zwölf \ud800\n')]
    assert json.loads(path.read_text().splitlines()[0]) == dict(made_by=MADE_BY)


def test_a_record_is_on_the_disk_at_once(tmp_path):
    with Journal(tmp_path / 'j', MADE_BY) as journal:
        journal.append(dict(n=1))
        assert (tmp_path / 'j').read_text().endswith('{"n": 1}\n')


@pytest.mark.parametrize('length', range(1, 66, 5))
def test_a_line_that_a_kill_cut_short_is_taken_out(tmp_path, length):
    """Wherever the file ends, the records whose lines are whole are there, and work goes on."""
    path = tmp_path / 'j'
    write(path, dict(n=1), dict(n=2), dict(n=3))
    data = path.read_bytes()
    assert len(data) == 66
    path.write_bytes(data[:length])
    kept = max(data[:length].count(b'\n') - 1, 0)
    write(path, dict(n=9))
    assert read(path) == [dict(n=n + 1) for n in range(kept)] + [dict(n=9)]


@pytest.mark.parametrize('made_by, words', [
    (dict(model='b', seed=0), 'holds results of another model; write to another'),
    (dict(model='b', seed=1), 'another model and seed;'),
    (dict(model='a'), 'another seed;'),
    (dict(model='a', seed=0, more=1), 'another more;'),
])
def test_records_of_something_else_are_refused_and_kept(tmp_path, made_by, words):
    path = tmp_path / 'j'
    write(path, dict(n=1))
    with pytest.raises(ValueError, match=words):
        write(path, dict(n=2), made_by=made_by)
    assert read(path) == [dict(n=1)]


@pytest.mark.parametrize('text', ['[1]\n', 'words\n', '{"n": 1}\n', 'words', '3\n',
                                  '{"made_by": {"model": "a", "seed": 0}}\n{"n": \n'])
def test_another_file_is_refused_and_left_as_it_is(tmp_path, text):
    (tmp_path / 'j').write_text(text)
    with pytest.raises(ValueError, match='is no journal of results'):
        read(tmp_path / 'j')
    assert (tmp_path / 'j').read_text() == text


def test_one_run_at_a_time(tmp_path):
    with Journal(tmp_path / 'j', MADE_BY) as journal:
        with pytest.raises(ValueError, match='is being written by another run'):
            read(tmp_path / 'j')
        journal.append(dict(n=1))
    assert read(tmp_path / 'j') == [dict(n=1)]
