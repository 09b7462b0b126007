"""Branch files: what is in them, beside which CLIP they load, and how they refuse."""
import copy
import os
import random

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint

from mmbt.apis import init_model, load_branch, save_branch
from mmbt.models import OpenCLIPTrunk
from mmbt.models.fingerprint import (
    COLUMNS,
    distance,
    fingerprint,
    first_difference,
    marks,
)

from ..support.tiny import FRAMES, TINY, build_model, stir
from .test_video_text import Malice, write_config

BACKBONE = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES)


@pytest.fixture
def source():
    """A model with a stirred branch."""
    model = build_model(BACKBONE)
    stir(model.backbone.branch)
    stir(model.heads)
    return model


def test_a_branch_file_holds_what_is_trained_and_nothing_of_clip(source, tmp_path):
    save_branch(source, tmp_path / 'branch.pth')
    assert os.listdir(tmp_path) == ['branch.pth']
    state = torch.load(tmp_path / 'branch.pth', weights_only=True)['state_dict']
    trained = {n: p for n, p in source.named_parameters() if p.requires_grad}
    kept = {k: v for k, v in state.items() if not k.startswith('fingerprint.')}
    assert set(kept) == set(trained)
    assert all(torch.equal(value, trained[name]) for name, value in kept.items())
    assert not any('visual' in key or 'resblock' in key for key in state)
    numbers = sum(v.numel() for k, v in state.items() if k.startswith('fingerprint.'))
    assert numbers == 14 * len(source.trunk.canonical_state())


@pytest.mark.parametrize('way', ['load_branch', 'load_checkpoint', 'init_model'])
def test_it_loads_beside_the_same_clip(way, source, tmp_path, batch, capsys):
    path = str(tmp_path / 'branch.pth')
    save_branch(source, path)
    if way == 'init_model':
        torch.save(dict(state_dict=source.state_dict()), tmp_path / 'clip.pth')
        config = write_config(tmp_path / 'config.py', pretrained=str(tmp_path / 'clip.pth'))
        target = init_model(config, path).double()
    else:
        target = build_model(BACKBONE)
        assert not torch.allclose(target.encode_video(batch['imgs']),
                                  source.encode_video(batch['imgs']))
        dict(load_branch=load_branch, load_checkpoint=load_checkpoint)[way](target, path)
    tolerance = dict(rtol=0, atol=1e-5 if way == 'init_model' else 0)
    torch.testing.assert_close(
        target.encode_video(batch['imgs']), source.encode_video(batch['imgs']), **tolerance)
    assert 'missing keys' not in capsys.readouterr().out


@pytest.mark.parametrize('way', [load_branch, load_checkpoint])
@pytest.mark.parametrize('kind', [torch.int8, torch.bool, torch.complex64])
def test_numbers_of_another_kind_are_refused(way, kind, source, tmp_path):
    """Copied into weights they would be others: rounded, or without their imaginary part."""
    path = str(tmp_path / 'branch.pth')
    save_branch(source, path)
    checkpoint = torch.load(path)
    name = next(key for key in checkpoint['state_dict'] if key.startswith('backbone.branch'))
    checkpoint['state_dict'][name] = checkpoint['state_dict'][name].to(kind)
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=f'^{path} .*{name} is of {kind} there') as refusal:
        way(build_model(BACKBONE), path)
    assert '\n' not in str(refusal.value)


@pytest.mark.parametrize('way', [load_branch, load_checkpoint])
@pytest.mark.parametrize('bare', [False, True])
def test_a_name_of_a_weight_cannot_leave_its_line(way, bare, source, tmp_path):
    path = str(tmp_path / 'branch.pth')
    state = {**source.state_dict(), 'x\n\x1b[31mred\r': torch.zeros(1)}
    torch.save(state if bare else dict(state_dict=state), path)
    with pytest.raises(ValueError, match=f'^{path} .* is no name') as refusal:
        way(build_model(BACKBONE), path)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize('way', [load_branch, load_checkpoint])
def test_it_is_refused_beside_another_clip(way, source, tmp_path):
    path = str(tmp_path / 'branch.pth')
    save_branch(source, path)
    other = build_model(BACKBONE)
    torch.nn.init.normal_(other.trunk.visual.blocks[2].fc1.weight, std=0.02)
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(ValueError, match=r'another CLIP .* differ in blocks\.2\.fc1\.weight, by '):
        way(other, path)
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


@pytest.mark.parametrize('name', list(build_model(BACKBONE).trunk.canonical_state()))
def test_every_weight_of_clip_counts(name):
    """One value of any weight, moved by as much as the weight is large, is noticed."""
    trunk = build_model(BACKBONE).trunk
    stir(trunk)
    recorded = fingerprint(trunk.canonical_state())
    assert first_difference(trunk.canonical_state(), recorded) is None
    weight = trunk.canonical_state()[name]
    weight.data[(-1, ) * weight.ndim] += weight.norm()
    assert first_difference(trunk.canonical_state(), recorded).startswith(f'{name}, by ')


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_a_cast_clip_is_the_same_clip(dtype, source):
    stir(source.trunk, std=0.05)
    recorded = fingerprint(source.trunk.canonical_state())
    source.trunk.to(dtype)
    state = source.trunk.canonical_state()
    assert first_difference(state, recorded) is None
    apart = max(distance(v, recorded[k]) for k, v in fingerprint(state).items())
    assert apart < 0.005


def test_marks_by_hand():
    """27 ones and twelve zeros: three values a column, so that each sum is divided by sqrt(3)."""
    weight = torch.cat([torch.ones(27), torch.zeros(12)])
    found = marks(weight)
    assert len(found) == 1 + COLUMNS
    torch.testing.assert_close(found[0], torch.tensor((27 / 39)**0.5))
    expected = torch.tensor([3.] + [2.] * 12) / 3**0.5
    torch.testing.assert_close(found[1:], expected)
    assert distance(marks(torch.zeros(4)), marks(torch.zeros(4))) == 0


def test_marks_of_unrelated_weights_are_far_apart():
    generator = torch.Generator().manual_seed(0)
    pairs = [marks(torch.randn(500, generator=generator)) for _ in range(40)]
    assert min(distance(a, b) for a, b in zip(pairs[:20], pairs[20:])) > 0.5


def test_the_other_variant_is_refused_with_what_to_set(tmp_path):
    save_branch(build_model(dict(BACKBONE, variant='released')), tmp_path / 'branch.pth')
    with pytest.raises(ValueError, match="variant 'released': set model.backbone.variant"):
        load_branch(build_model(BACKBONE), tmp_path / 'branch.pth')


def test_a_branch_of_another_size_is_refused(source, tmp_path):
    save_branch(source, tmp_path / 'branch.pth')
    with pytest.raises(ValueError, match='missing: backbone.branch.gates.2.weight'):
        load_branch(build_model(dict(BACKBONE, num_layers=4)), tmp_path / 'branch.pth')
    with pytest.raises(ValueError, match='unknown: backbone.branch.gates.1.weight'):
        load_branch(build_model(dict(BACKBONE, num_layers=2)), tmp_path / 'branch.pth')


def test_a_file_without_a_fingerprint_is_taken_and_said_so(source, tmp_path, caplog):
    state = {k: v for k, v in source.state_dict().items() if k.startswith('backbone.branch.')}
    torch.save(state, tmp_path / 'branch.pth')
    target = build_model(BACKBONE)
    load_branch(target, tmp_path / 'branch.pth')
    assert torch.equal(target.backbone.branch.cls_token, source.backbone.branch.cls_token)


def test_what_is_no_branch_file_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='branch file none.pth is missing'):
        load_branch(source, 'none.pth')
    torch.save(dict(state_dict=source.state_dict()), 'whole.pth')
    with pytest.raises(ValueError, match='whole.pth holds CLIP too'):
        load_branch(source, 'whole.pth')
    torch.save(Malice('hacked'), 'code.pth')
    with pytest.raises(ValueError, match='code.pth holds code'):
        load_branch(source, 'code.pth')
    assert not (tmp_path / 'hacked').exists()
    with pytest.raises(ValueError, match='neither a VideoTextModel, a dialogue model nor'):
        load_branch(torch.nn.Linear(1, 1), 'whole.pth')


def test_what_has_no_branch_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match='CLIP is trained too'):
        save_branch(build_model(BACKBONE, trunk=dict(frozen=False)), tmp_path / 'branch.pth')
    with pytest.raises(ValueError, match='FrameMean has nothing that is trained'):
        save_branch(build_model(dict(type='FrameMean'), heads=False), tmp_path / 'branch.pth')
    assert not any(tmp_path.iterdir())


def test_without_a_joint_space_there_is_nothing_to_contrast(batch):
    short = dict(trunk=dict(drop_last=1))
    with pytest.raises(ValueError, match='no joint space'):
        build_model(BACKBONE, **short)
    model = build_model(BACKBONE, heads=False, **short)
    assert model.encode(batch['imgs']).video is None
    with pytest.raises(ValueError, match='no joint space'):
        model.encode_video(batch['imgs'])


@pytest.mark.parametrize('drop_last, message', [(-1, 'drop_last'), (4, 'drop_last')])
def test_layers_to_drop_out_of_range_are_refused(drop_last, message):
    with pytest.raises(ValueError, match=message):
        OpenCLIPTrunk(TINY, drop_last=drop_last)


def test_a_torn_branch_file_is_refused_and_never_half_loaded(source, tmp_path):
    """Cut short, or with a page that a crash left empty, which torch itself takes."""
    path, moments = tmp_path / 'branch.pth', random.Random(4)
    save_branch(source, path)
    whole = path.read_bytes()
    target = build_model(BACKBONE)
    before = copy.deepcopy(target.state_dict())
    for trial in range(60):
        data, begin = bytearray(whole), moments.randrange(len(whole) - 64)
        if trial % 2:
            del data[begin:]
        else:
            data[begin:begin + 64] = bytes(64)
        path.write_bytes(data)
        if bytes(data) == whole:
            continue
        with pytest.raises(ValueError, match=f'^{path} cannot be read as a checkpoint [^\n]*$'):
            load_branch(target, path)
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())
