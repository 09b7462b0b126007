"""The two files of a conversation model."""
import pytest
import torch
from mmengine.config import Config

from mmbt.apis import init_model
from mmbt.models.checkpoints.conversion import describe
from mmbt.models.checkpoints.conversion.convert import prepare
from mmbt.models.checkpoints.conversion.released import recognise

from .files import (
    CONFIGS,
    clip_shapes,
    conversation,
    converted,
    expected,
    on_meta,
    released,
    save,
)


@torch.no_grad()
def test_the_branch_stands_beside_clip_without_its_last_layer(tmp_path):
    """The same tokens as the pretraining file's, read one layer earlier with gates half open."""
    source = save(conversation(released()), tmp_path / 'btadapter_weight.bin')
    done, ours = converted(source, tmp_path)
    assert not [name for name in ours if not name.startswith('backbone.branch.')]
    gates = [value for name, value in ours.items() if 'gate' in name]
    assert len(gates) == 2 and not torch.stack(gates).any()
    assert len(ours['backbone.branch.time_embedding']) == 50

    whole = tmp_path / 'whole'
    whole.mkdir()
    state = released()
    state['backbone.balance1'].zero_()
    state['backbone.balance2'].zero_()
    converted(save(state, whole / 'in.pth'), whole, frames=50)
    config = Config.fromfile(whole / 'out.py')
    config.model.update(heads=[])
    config.model.trunk.drop_last = 1
    right = init_model(config, str(whole / 'out.pth'))

    model = init_model(tmp_path / 'out.py', str(tmp_path / 'out.pth'))  # CLIP is random
    assert len(model.backbone.branch.temporal) == 2
    config = Config.fromfile(tmp_path / 'out.py')
    config.model.trunk.pretrained = str(whole / 'out.pth')
    model = init_model(config, str(tmp_path / 'out.pth'))
    video = expected('plain')['video']
    a, b = model.encode(video), right.encode(video)
    assert torch.equal(a.branch_tokens, b.branch_tokens)
    assert torch.equal(a.branch_cls, b.branch_cls) and torch.equal(a.clip_tokens, b.clip_tokens)
    report = describe(done, source, tmp_path / 'out.pth')
    assert 'gates of zero' in report and 'model.trunk.pretrained' in report
    assert 'mim test' not in report
    head = (tmp_path / 'out.py').read_text().split('custom_imports')[0]
    assert 'model.trunk.pretrained' in head


def test_by_default_it_stands_beside_openais_clip():
    """Checked against ViT-L/14's shapes; three layers of four are in the file."""
    shapes = clip_shapes(1024, 1, 14, 16, 768, 768, 1, layers=3)
    state = on_meta({name: shape for name, shape in shapes.items()
                     if name.startswith('backbone.btadapter_')})
    file = recognise(conversation(state, layers=3), [], 'in.bin')
    model = prepare(file, CONFIGS).config.model
    assert model.trunk == dict(type='OpenCLIPTrunk', arch='ViT-L-14-quickgelu',
                               pretrained='openai', drop_last=1)
    assert model.backbone == dict(type='BTAdapter', num_layers=4, num_frames=50,
                                  combination='weighted', variant='released')


def test_a_branch_of_other_sizes_is_refused_by_name(tmp_path):
    source = save(conversation(released()), tmp_path / 'btadapter_weight.bin')
    with pytest.raises(ValueError, match=r'weight.bin: model.vision_tower.btadapter_cls_token: '
                       r'\(64,\) in the file, \(1024,\) in ViT-L-14-quickgelu'):
        converted(source, tmp_path, arch=None)
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('tokens', [True, False])
def test_the_projector_is_kept_without_a_config(tokens, tmp_path):
    state = {'model.mm_projector.weight': torch.randn(6, 4), 'model.mm_projector.bias':
             torch.randn(6)}
    if tokens:
        state['model.embed_tokens.weight'] = torch.randn(9, 6)
    done, ours = converted(save(state, tmp_path / 'mm_projector.bin'), tmp_path, arch=None)
    names = ['projector.weight', 'projector.bias', 'embed_tokens.weight'][:2 + tokens]
    assert list(ours) == names
    assert all(torch.equal(ours[a], b) for a, b in zip(names, state.values()))
    assert not (tmp_path / 'out.py').exists()
    assert 'no video model is in the file' in describe(done, 'in.bin', 'out.pth')


def test_the_projector_has_no_frames(tmp_path):
    source = save({'model.mm_projector.weight': torch.ones(2, 2),
                   'model.mm_projector.bias': torch.ones(2)}, tmp_path / 'in.bin')
    with pytest.raises(ValueError, match='leave --arch and --frames out'):
        converted(source, tmp_path, arch=None, frames=3)
    assert not (tmp_path / 'out.pth').exists()
