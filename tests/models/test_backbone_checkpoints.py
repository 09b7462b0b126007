"""Checkpoints of backbones without a branch: what starts from CLIP's, and what goes round."""
import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint

from mmbt.models import FrameMean

from ..support.tiny import stir
from ..support.tiny_backbones import build
from .comparison import assert_same

every_backbone = pytest.mark.parametrize(
    'backbone', ['STPooling', 'JointST', 'SeparateST', 'SeparateST-2'])


@pytest.fixture
def clip(tmp_path):
    """A CLIP that frame-mean training opened and moved, and its checkpoint, in single precision."""
    model = build('FrameMean', trunk=dict(frozen=False))
    stir(model, 0.1)
    model.float()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'clip.pth')
    return model.double(), str(tmp_path / 'clip.pth')


@every_backbone
@pytest.mark.parametrize('frozen', [True, False])
def test_a_checkpoint_of_frame_mean_is_the_clip_to_start_from(backbone, frozen, clip, batch):
    source, path = clip
    model = build(backbone, trunk=dict(pretrained=path, frozen=frozen))
    assert model.trunk.visual.proj.weight.requires_grad != frozen
    single, tokens = batch['imgs'][:, :1], batch['tokens']
    assert_same(model.encode(single), source.encode(single), atol=1e-12)
    mean = FrameMean(model.trunk)(batch['imgs'])
    assert_same(mean, source.encode(batch['imgs']), atol=1e-12)
    torch.testing.assert_close(
        model.encode_text(tokens), source.encode_text(tokens), rtol=0, atol=1e-12)


@every_backbone
@pytest.mark.parametrize('frozen', [True, False])
def test_whole_checkpoints_go_round(backbone, frozen, tmp_path, batch):
    """Trunk and all, into a model whose every weight was another."""
    model, other = [build(backbone, trunk=dict(frozen=frozen)) for _ in range(2)]
    stir(model)
    assert (other.encode_video(batch['imgs']) - model.encode_video(batch['imgs'])).abs().max() > .01
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'whole.pth')
    load_checkpoint(other, str(tmp_path / 'whole.pth'))
    assert_same(other.encode(batch['imgs']), model.encode(batch['imgs']), atol=0)
    state = other.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize('backbone, name', [('JointST', 'time_embedding'),
                                            ('SeparateST', r'temporal\.0\.')])
def test_a_checkpoint_of_clip_alone_is_no_whole_one(backbone, name, clip):
    """It is the trunk's ``pretrained``; as a checkpoint it would leave the rest as it was."""
    model = build(backbone)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=fr'missing: backbone\.({name}|time_embedding)'):
        load_checkpoint(model, clip[1])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_weights_of_other_settings_are_refused(tmp_path):
    for name in ('SeparateST-2', 'SeparateST'):
        torch.save(dict(state_dict=build(name).state_dict()), tmp_path / f'{name}.pth')
    with pytest.raises(ValueError, match=r'missing: backbone\.temporal\.2\.'):
        load_checkpoint(build('SeparateST'), str(tmp_path / 'SeparateST-2.pth'))
    with pytest.raises(ValueError, match=r'unknown: backbone\.temporal\.2\.'):
        load_checkpoint(build('SeparateST-2'), str(tmp_path / 'SeparateST.pth'))
    with pytest.raises(ValueError, match=r'time_embedding is \(4, 16\) there, \(2, 16\) here'):
        load_checkpoint(build('SeparateST', num_frames=2), str(tmp_path / 'SeparateST.pth'))
