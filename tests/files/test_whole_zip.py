"""Torn and altered files of the zip kind are told from whole ones."""
import random

import numpy as np
import pytest
import torch

from mmbt.files.whole_zip import damage_of


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
