"""Which checkpoint a run goes on from, and what is said."""
import os
import shutil

import pytest
import torch

from mmbt.files.latest import latest_checkpoint


@pytest.fixture
def run(tmp_path):
    """A work folder as mmengine leaves it."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for number, name in enumerate(['epoch_1', 'iter_200', 'iter_400', 'iter_1000']):
        torch.save(dict(meta=dict(iter=number)), folder / f'{name}.pth')
        os.utime(folder / f'{name}.pth', (number, number))
    for name in ('branch_epoch_9.pth', 'iter_9.pth.0123.part', 'iter_x.pth'):
        (folder / name).touch()
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_1000.pth'))
    return folder


def taken(folder):
    """The name of the checkpoint, and what was said."""
    said = []
    path = latest_checkpoint(folder, said.append)
    return path and os.path.relpath(path, folder), said


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def test_the_recorded_one_is_taken_in_silence(run):
    assert taken(run) == ('iter_1000.pth', [])
    (run / 'last_checkpoint').write_text(str(run / 'iter_200.pth'))
    assert taken(run) == ('iter_200.pth', [])


def test_a_damaged_one_gives_way_to_the_last_good_one(run):
    cut(run / 'iter_1000.pth')
    name, said = taken(run)
    assert name == 'iter_400.pth' and len(said) == 1 and '\n' not in said[0]
    assert said[0].startswith(f'{run}/iter_1000.pth (it is cut short or damaged: ')
    assert said[0].endswith(f') cannot be used; going on from {run}/iter_400.pth')
    (run / 'iter_400.pth').write_bytes(b'')
    name, said = taken(run)
    assert name == 'iter_200.pth' and '/iter_400.pth (it is empty) cannot' in said[0]


def test_where_all_are_damaged_nothing_begins_anew(run):
    for path in run.glob('[ie]*_*.pth'):
        cut(path)
    with pytest.raises(ValueError, match=r'iter_1000.pth cannot be used \(it is .* nor can any '
                       'other checkpoint in [^\n]*run: copy one anew, or train without --resume'):
        taken(run)


@pytest.mark.parametrize('record', ['', '\0\0\0\0', 'iter_1', '\n'])
def test_a_record_that_was_lost_is_made_up_for(run, record):
    (run / 'last_checkpoint').write_text(record)
    assert taken(run)[0] == 'iter_1000.pth'
    (run / 'last_checkpoint').unlink()
    assert taken(run)[0] == 'iter_1000.pth'


def test_a_recorded_one_that_is_gone_is_told(run):
    (run / 'iter_1000.pth').unlink()
    assert taken(run) == ('iter_400.pth', [f'{run}/iter_1000.pth is missing; going on from '
                                           f'{run}/iter_400.pth'])


def test_a_copied_folder_has_its_own(run, tmp_path):
    copy = tmp_path / 'copy'
    shutil.copytree(run, copy, copy_function=shutil.copy)  # with new times, in any order
    for number, name in enumerate(['iter_1000', 'iter_400', 'iter_200', 'epoch_1']):
        os.utime(copy / f'{name}.pth', (number, number))
    assert taken(copy) == ('iter_1000.pth', [])
    torch.save({}, copy / 'iter_1200.pth')
    os.utime(copy / 'iter_1200.pth', (0, 0))
    (copy / 'last_checkpoint').write_text(str(copy / 'iter_1200.pth'))
    assert taken(copy)[0] == 'iter_1200.pth'
    (copy / 'last_checkpoint').write_text('')
    (copy / 'epoch_1.pth').unlink()
    assert taken(copy)[0] == 'iter_1200.pth'  # not iter_1000, which the copy made the last


def test_one_of_another_folder_is_told_and_taken_where_this_one_has_none(run, tmp_path):
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work/last_checkpoint').write_text(str(run / 'iter_400.pth'))
    name, said = taken(tmp_path / 'work')
    assert name == '../run/iter_400.pth' and 'of another folder' in said[0]
    (tmp_path / 'work/last_checkpoint').write_text('s3://bucket/iter_1.pth')
    assert latest_checkpoint(tmp_path / 'work') == 's3://bucket/iter_1.pth'


def test_an_empty_folder_has_none(tmp_path):
    assert taken(tmp_path) == (None, [])
    assert taken(tmp_path / 'none') == (None, [])


def test_a_page_that_a_crash_left_empty_is_damage(run):
    data = (run / 'iter_1000.pth').read_bytes()
    (run / 'iter_1000.pth').write_bytes(bytes(512) + data[512:])
    name, said = taken(run)
    assert name == 'iter_400.pth' and 'iter_1000.pth (it is no checkpoint)' in said[0]
