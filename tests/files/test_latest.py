"""Which checkpoint a run goes on from, what is said, and how a damaged one is told."""
import os
import random
import shutil

import numpy as np
import pytest
import torch

from mmbt.files.latest import damage_of, latest_checkpoint


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


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(w=torch.arange(2000.), b=torch.zeros(3)), meta=dict(iter=4)),
               path)
    return path


def test_a_file_cut_at_a_hundred_places_is_damaged(checkpoint):
    whole, moments = checkpoint.read_bytes(), random.Random(1)
    assert damage_of(checkpoint) is None
    for length in [0, 1, len(whole) - 1, *(moments.randrange(len(whole)) for _ in range(97))]:
        checkpoint.write_bytes(whole[:length])
        assert (damage_of(checkpoint) or '').startswith('it is '), length


def test_pages_that_a_crash_left_empty_are_damage(checkpoint):
    """torch reads such a file, and zeros for weights."""
    data = bytearray(checkpoint.read_bytes())
    begin = data.find(np.arange(100, 200, dtype=np.float32).tobytes())
    data[begin:begin + 400] = bytes(400)
    checkpoint.write_bytes(data)
    assert torch.load(checkpoint)['state_dict']['w'][100:200].sum() == 0
    assert damage_of(checkpoint) == 'the checksum of a/data/0 is another'


def test_a_bit_at_a_hundred_places_is_found_or_changes_nothing(checkpoint):
    whole, moments, found = checkpoint.read_bytes(), random.Random(2), 0
    expected = torch.load(checkpoint)
    for _ in range(100):
        data = bytearray(whole)
        data[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
        checkpoint.write_bytes(data)
        if damage_of(checkpoint) is None:
            try:
                loaded = torch.load(checkpoint)
            except RuntimeError:  # torch asks more of the headers
                continue
            assert torch.equal(loaded['state_dict']['w'], expected['state_dict']['w'])
            assert loaded['meta'] == expected['meta']
        else:
            found += 1
    assert found > 70


@pytest.mark.skipif(not hasattr(torch.serialization, 'set_crc32_options'), reason='an older torch')
def test_a_file_that_torch_wrote_without_checksums_is_not_judged_by_them(tmp_path):
    path = tmp_path / 'a.pth'
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(torch.arange(9.), path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert damage_of(path) is None
    path.write_bytes(path.read_bytes()[:-9])
    assert damage_of(path).startswith('it is cut short')


def test_files_of_another_kind_are_not_judged(tmp_path):
    torch.save(torch.zeros(3), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert damage_of(tmp_path / 'old.pth') is None
    assert 'No such file' in damage_of(tmp_path / 'none.pth')
