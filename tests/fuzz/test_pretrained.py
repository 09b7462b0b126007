"""Folders of save_pretrained that nobody meant: a value, or one line that names the folder."""
import pytest

from mmbt.apis import from_pretrained, save_pretrained
from support.fuzz import Door, fuzz

from ..support.tiny import build_model


def folder_of(folder):
    save_pretrained(build_model(heads=False).float(), folder / 'example', whole=True)
    return [folder / 'example']


DOORS = [Door('folder of save_pretrained', folder_of, lambda path: from_pretrained(path),
              targets=lambda path: [path / 'config.json', path / 'model.safetensors'])]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_value_or_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path, count=100)
    assert tally.faults == [] and tally.refused > 50
