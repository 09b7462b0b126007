"""Released files and architectures that nobody meant, for the converter."""
import functools

import pytest
import torch
from mmengine.config import Config

from mmbt.models.checkpoints.conversion import convert
from mmbt.models.checkpoints.conversion.convert import prepare
from mmbt.models.checkpoints.conversion.output import script
from mmbt.models.checkpoints.conversion.released import read_released
from support.fuzz import Door, fuzz

from ..models.conversion.files import (
    CONFIGS,
    PARITY,
    arch_file,
    clip_shapes,
    conversation,
    filled,
    released,
)
from .specs import save_spec, spec_of, write_json

pytestmark = pytest.mark.slow

SMALL = dict(width=64, depth=3, patch=16, side=2, embed=16, text_width=64, text_depth=1, layers=2,
             vocabulary=90, context=20)


def small():
    """A released file of a small CLIP, whose heads are 64 wide, and its branch."""
    return dict(state_dict=filled(clip_shapes(**SMALL)), epoch=3)


def conversion_of(path):
    """Convert a file; the config is read back as MMEngine does."""
    out = path.with_name('out.pth')
    convert(path, out, CONFIGS)
    Config.fromfile(out.with_suffix('.py'))


def small_examples(folder):
    torch.save(small(), folder / 'example.pth')
    return [folder / 'example.pth']


def small_specs(folder):
    return [write_json(folder / 'example.json', spec_of(small()))]


def branch_specs(folder):
    state = conversation(released())
    state = {name: value for name, value in state.items() if value.numel() < 100}
    return [write_json(folder / 'example.json', spec_of(state))]


def incomplete(path):
    """Load what lacks weights: it is refused, and names them; only then the door is open."""
    try:
        conversion_of(save_spec(path))
    except ValueError as error:
        if 'but it lacks' not in str(error):
            raise


@functools.cache
def gated():
    return read_released(PARITY / 'gated.pth')


def load_arch(path):
    done = prepare(gated(), CONFIGS, arch=path)
    (path.parent / 'out.py').write_text(script(done.config, done.notes), encoding='utf-8')
    assert Config.fromfile(path.parent / 'out.py').to_dict() == done.config.to_dict()


DOORS = [
    Door('released file', small_examples, conversion_of),
    Door('values of a released file', small_specs, lambda path: conversion_of(save_spec(path))),
    Door('values of a released branch', branch_specs, incomplete),
    Door('arch.json', lambda folder: [arch_file(folder)], load_arch),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_value_or_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path)
    assert tally.faults == [] and tally.refused > 20
