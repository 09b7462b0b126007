"""Folders of save_pretrained that nobody meant: a value, or one line that names the folder."""
import pytest
import torch

from mmbt.apis import from_pretrained, save_pretrained
from support.fuzz import Door, fuzz

from ..support.tiny import build_model


def examples(whole):
    """Makes a folder of a tiny model, and CLIP's weights beside it."""
    def write(folder):
        model = build_model(heads=False).float()
        torch.save(dict(state_dict=model.state_dict()), folder / 'clip.pth')
        save_pretrained(model, folder / 'example', whole)
        return [folder / 'example']
    return write


def files(path):
    return [path / 'config.json', path / 'model.safetensors']


DOORS = [
    Door('folder of a whole model', examples(True), from_pretrained, targets=files),
    Door('folder of a branch', examples(False),
         lambda path: from_pretrained(path, clip=str(path.with_name('clip.pth'))), targets=files),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_value_or_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path, count=100)
    assert tally.faults == [] and tally.refused > 50
