"""What is refused: in one line, before anything is written."""
import json
import re

import pytest
import torch

from mmbt.engine.launch import describe
from mmbt.models.checkpoints.conversion import convert

from .files import CONFIGS, PARITY, arch_file, conversation, expected, released, save


def refusal(source, folder, out='out.pth', **flags):
    """The one line that a refused conversion ends in; nothing may have been written."""
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises((ValueError, OSError)) as caught:
        convert(source, folder / out, CONFIGS, **flags)
    line = describe(caught.value)
    assert line and '\n' not in line
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    return line


@pytest.mark.parametrize('name', [
    'backbone.class_embedding', 'backbone.layers.3.self_attn.k_proj.bias', 'backbone.balance2',
    'backbone.btadapter_T_layers.1.temporal_fc.weight', 'extra_proj.0.bias',
    'text_backbone.text_model.encoder.layers.2.mlp.fc1.weight'])
def test_a_missing_weight_is_named_as_in_the_file(name, tmp_path):
    state = released()
    del state[name]
    line = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert line.endswith(f'but it lacks {name}')


@pytest.mark.parametrize('name', [
    'backbone.layers.3.self_attn.relative', 'backbone.balance3', 'proj.weight',
    'backbone.btadapter_T_layers.1.temporal_fc.scale', 'text_backbone.extra'])
def test_an_unknown_weight_is_named_as_in_the_file(name, tmp_path):
    state = {**released(), name: torch.ones(64)}
    line = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert line.endswith(f'but it holds an unknown weight, {name}')


def test_a_lone_gate_is_no_whole_file(tmp_path):
    """The released code can gate the output alone; no combination of ours does."""
    state = released()
    del state['backbone.balance2']
    line = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert 'lacks backbone.balance2' in line


def test_a_weight_by_two_names_is_refused(tmp_path):
    state = released()
    state['backbone.timesFPN_cls_token'] = state['backbone.btadapter_cls_token']
    line = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert 'both backbone.btadapter_cls_token and backbone.timesFPN_cls_token' in line


@pytest.mark.parametrize('name, shape, line', [
    ('backbone.layers.2.mlp.fc1.bias', (5, ), r'layers.2.mlp.fc1.bias: \(5,\) in the file, \(256,'),
    ('backbone.layers.2.self_attn.k_proj.bias', (5, ), r'q_proj.bias, .*k_proj.bias, .*\(133,\)'),
    ('backbone.layers.2.self_attn.k_proj.weight', (5, 7), 'k_proj.weight, .*brought together'),
    ('backbone.visual_projection.weight', (5, 64), r'visual_projection.weight: \(5, 64\)'),
    ('text_backbone.text_projection.weight', (5, 48), r'text_projection.weight: \(48, 5\)'),
    ('text_backbone.text_projection.weight', (5, 48, 2), 'text_projection.weight: cannot be'),
    ('backbone.btadapter_cls_token', (1, 1, 63), r'btadapter_cls_token: \(63,\)'),
    ('backbone.btadapter_time_embed.weight', (64, ), 'btadapter_time_embed.weight is .* not rows'),
    ('backbone.btadapter_time_embed.weight', (64, 5), r'btadapter_time_embed.weight: \(8, 5\)'),
    ('backbone.balance1', (63, ), r'balance1: \(63,\) in the file, \(64,\) in the arch'),
    ('extra_proj.0.weight', (48, 5), r'extra_proj.0.weight: \(48, 5\)')])
def test_a_weight_of_another_shape_is_named(name, shape, line, tmp_path):
    state = dict(released(), **{name: torch.ones(shape)})
    found = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert re.search(line, found)


@pytest.mark.parametrize('part, key, value, line', [
    ('vision_cfg', 'layers', 7, 'has a weight that the file lacks: .*blocks.6.norm1.weight'),
    ('vision_cfg', 'layers', 5, r'd.pth: backbone.layers.5.layer_norm1.weight: .* no such weight'),
    ('vision_cfg', 'width', 32, r'd.pth: backbone.class_embedding: \(64,\) in the file, \(32,\)'),
    ('vision_cfg', 'image_size', 40, r'd.pth: backbone.position_embedding.weight: \(17, 64\)'),
    ('vision_cfg', 'layers', 2, 'no model can be built of .* branch of 3 layers'),
    ('vision_cfg', 'head_width', 0, 'no model can be built of'),
    ('vision_cfg', 'typo', 5, 'no model can be built of .*typo'),
    ('vision_cfg', 'timm_model_name', 'typo', 'no model can be built of .*typo'),
    ('text_cfg', 'vocab_size', 97, r'token_embedding.weight: \(96, 48\) in the file, \(97, 48\)')])
def test_another_architecture_is_refused(part, key, value, line, tmp_path):
    arch = expected('gated')['arch']
    arch[part][key] = value
    found = refusal(PARITY / 'gated.pth', tmp_path, arch=arch_file(tmp_path, arch))
    assert re.search(line, found)


@pytest.mark.parametrize('text, line', [
    ('{', 'arch.json: line 1 is not valid JSON'), ('"ViT-L-14"', 'is no architecture of open_clip'),
    ('{"embed_dim": 3, "vision_cfg": 3, "text_cfg": {}}', 'is no architecture of open_clip')])
def test_a_file_that_is_no_architecture_is_refused(text, line, tmp_path):
    (tmp_path / 'arch.json').write_text(text)
    assert line in refusal(PARITY / 'gated.pth', tmp_path, arch=tmp_path / 'arch.json')


def test_the_parity_files_heads_are_not_64_wide(tmp_path):
    """48 channels of text are no multiple of 64, so that nothing is guessed."""
    assert '--arch arch.json' in refusal(PARITY / 'gated.pth', tmp_path)


@pytest.mark.parametrize('name', ['backbone.x', 'x', 'backbone.branch.x', 'x.position_ids'])
def test_a_name_cannot_leave_its_line(name, tmp_path):
    """Nor set a terminal's colours, in the line that refuses it or in a report."""
    state = {f'{name}\n\x1b[31mred\r': torch.zeros(1, dtype=torch.int64)}
    if 'branch' not in name and name != 'x':
        state = {**released(), **state}
    line = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert line.startswith(str(tmp_path / 'in.pth')) and line.isprintable()


@pytest.mark.parametrize('change, words', [
    (lambda value: value.to(torch.int8), 'is of torch.int8, not of floating point'),
    (lambda value: value > 0, 'is of torch.bool, not'),
    (lambda value: value.to(torch.complex64), 'is of torch.complex64, not'),
    (lambda value: value.where(value != value.max(), torch.nan), 'holds numbers that are not fin'),
    (lambda value: value / 0, 'holds numbers that are not finite')])
@pytest.mark.parametrize('name', ['backbone.balance1', 'backbone.layers.2.mlp.fc1.bias'])
def test_numbers_that_are_no_weights_are_refused(name, change, words, tmp_path):
    state = released()
    state[name] = change(state[name])
    line = refusal(save(state, tmp_path / 'in.pth'), tmp_path, arch=arch_file(tmp_path))
    assert line.startswith(f"{tmp_path / 'in.pth'}: {name} {words}")


def half(path):
    path.write_bytes((PARITY / 'gated.pth').read_bytes()[:1_000_000])


def code(path):
    torch.save(dict(state_dict=released(), meta=print), path)


def code_in_old_form(path):
    torch.save(dict(state_dict=released(), meta=print), path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize('write, line', [
    (half, 'cannot be read as a checkpoint'),
    (lambda path: path.write_bytes(b''), 'cannot be read as a checkpoint'),
    (lambda path: path.write_text('no weights at all'), 'cannot be read as a checkpoint'),
    (lambda path: path.write_bytes(bytes(8) + b'{"a": 1}'), 'cannot be read as a checkpoint'),
    (code, r'holds code \(GLOBAL print\), refused'),
    (code_in_old_form, r'holds code \(GLOBAL print\), refused'),
    (lambda path: torch.save([1, 2], path), 'holds no weights by name'),
    (lambda path: torch.save({}, path), 'holds no weights by name'),
    (lambda path: torch.save({'epoch': 3}, path), 'epoch is a int, not a weight'),
    (lambda path: torch.save({'conv1.weight': torch.ones(1)}, path), 'none of the authors'),
    (lambda path: torch.save({'backbone.branch.cls_shift': torch.ones(1)}, path), 'already'),
    (lambda path: path.mkdir(), 'Is a directory'),
    (lambda path: None, 'No such file')])
def test_what_is_no_released_file_is_refused(write, line, tmp_path):
    write(tmp_path / 'in.pth')
    found = refusal(tmp_path / 'in.pth', tmp_path, arch=arch_file(tmp_path))
    assert re.search(line, found) and 'in.pth' in found


@pytest.mark.parametrize('out, line', [('in.pth', 'in.pth would be written over'),
                                       ('out.bin', 'must end in .pth'), ('out', 'must end in'),
                                       ('folder.pth', 'folder.pth is a folder')])
def test_bad_outputs_are_refused(out, line, tmp_path):
    (tmp_path / 'folder.pth').mkdir()
    source = save(released(), tmp_path / 'in.pth')
    assert line in refusal(source, tmp_path, out, arch=arch_file(tmp_path))


def test_the_input_is_not_written_over_through_a_link(tmp_path):
    source = save(released(), tmp_path / 'in.pth')
    (tmp_path / 'link.pth').symlink_to(source)
    line = refusal(source, tmp_path, 'link.pth', arch=arch_file(tmp_path))
    assert 'would be written over' in line


@pytest.mark.parametrize('frames', [0, -1, 65])
def test_frames_lie_among_the_rows(frames, tmp_path):
    line = refusal(PARITY / 'gated.pth', tmp_path, arch=arch_file(tmp_path), frames=frames)
    assert f'1..64, the rows of backbone.btadapter_time_embed.weight, got {frames}' in line


def test_a_branch_must_be_whole(tmp_path):
    state = conversation(released())
    del state['model.vision_tower.btadapter_S_layers.1.layer_norm2.bias']
    line = refusal(save(state, tmp_path / 'in.bin'), tmp_path, arch=arch_file(tmp_path))
    assert line.endswith('lacks model.vision_tower.btadapter_S_layers.1.layer_norm2.bias')


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    folder = tmp_path / 'new'
    with pytest.raises(OSError):
        convert(PARITY / 'gated.pth', folder / 'out.pth', CONFIGS, arch=arch_file(tmp_path))
    assert list(folder.iterdir()) == []


def test_gelu_is_asked_about(tmp_path):
    """OpenAI's CLIP has quick-GELU; an architecture without it is taken, and said."""
    arch = {key: value for key, value in expected('gated')['arch'].items() if key != 'quick_gelu'}
    (tmp_path / 'arch.json').write_text(json.dumps(arch))
    done = convert(PARITY / 'gated.pth', tmp_path / 'out.pth', CONFIGS,
                   arch=tmp_path / 'arch.json')
    assert any('quick_gelu' in note for note in done.notes)
