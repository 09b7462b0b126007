"""The model as the Runner calls it, its weights, and what it refuses."""
import os

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.runner.checkpoint import load_state_dict

from mmbt.apis import init_model
from mmbt.engine.launch import skip_idle_weights
from mmbt.models import OpenCLIPTrunk, VideoTextDataPreprocessor
from mmbt.models.families import open_clip_weights as trunk_weights
from mmbt.models.preprocessor import CLIP_MEAN, CLIP_STD

from ..support.tiny import FRAMES, TINY, build_model

BACKBONE = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES)


def test_preprocessor_normalises_each_channel():
    """A grey of 128 becomes (128 - mean) / std in every channel, at its place."""
    clips = [torch.full((2, 3, 4, 4), 128, dtype=torch.uint8) for _ in range(2)]
    captions = [torch.tensor([[1, 2]]), torch.tensor([[3, 4], [5, 6]])]
    data = dict(inputs=dict(imgs=clips, tokens=captions), data_samples=['a', 'b'])
    out = VideoTextDataPreprocessor()(data)
    expected = (128 - np.array(CLIP_MEAN)) / np.array(CLIP_STD)
    assert out['inputs']['imgs'].shape == (2, 2, 3, 4, 4)
    np.testing.assert_allclose(out['inputs']['imgs'][1, 1, :, 2, 3], expected, rtol=1e-5)
    assert out['inputs']['tokens'].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert out['data_samples'] == ['a', 'b']


def test_preprocessor_refuses_clips_of_different_shapes():
    clips = [torch.zeros(2, 3, 4, 4), torch.zeros(3, 3, 4, 4)]
    with pytest.raises(ValueError, match='differ in shape'):
        VideoTextDataPreprocessor()(dict(inputs=dict(imgs=clips)))


def test_predict_splits_captions_by_video(batch):
    model = build_model(BACKBONE)
    samples = []
    for count in (2, 0, 1):
        sample = ActionDataSample()
        sample.set_metainfo(dict(num_captions=count))
        samples.append(sample)
    out = model(batch, samples, mode='predict')
    text = model.encode_text(batch['tokens'])
    assert [len(sample.text_features) for sample in out] == [2, 0, 1]
    torch.testing.assert_close(out[2].text_features[0], text[2])
    torch.testing.assert_close(out[1].video_feature, model.encode_video(batch['imgs'])[1])


def test_training_wants_one_caption_a_clip(batch):
    batch['tokens'] = batch['tokens'][:2]
    with pytest.raises(ValueError, match='one caption a clip'):
        build_model()(batch, mode='loss')


def test_objectives_of_a_branch_refuse_a_backbone_without_one(batch):
    model = build_model(dict(type='FrameMean'), mask=None)
    with pytest.raises(ValueError, match='MBTA .* remove the head'):
        model(batch, mode='loss')


def test_loss_weights_scale_their_loss(batch):
    model = build_model(BACKBONE)
    torch.manual_seed(3)
    plain = model(batch, mode='loss')
    for head in model.heads:
        head.loss_weight = 0.1
    torch.manual_seed(3)
    scaled = model(batch, mode='loss')
    for name, value in plain.items():
        torch.testing.assert_close(scaled[name], 0.1 * value)


@pytest.mark.parametrize('spoil, message', [
    (lambda s: s.pop('backbone.branch.cls_token'), 'missing: backbone.branch.cls_token'),
    (lambda s: s.update({'backbone.branch.extra': torch.zeros(1)}), 'unknown: backbone.branch.ex'),
    (lambda s: s.update({'backbone.branch.cls_token': torch.zeros(3)}),
     r'cls_token is \(3,\) there, \(16,\) here'),
])
def test_checkpoint_of_another_architecture_is_refused(spoil, message):
    model = build_model(BACKBONE)
    state = dict(model.state_dict())
    spoil(state)
    with pytest.raises(ValueError, match=message):
        load_state_dict(model, state)


def test_checkpoint_of_the_branch_alone_and_one_with_objectives_are_taken():
    source, target = build_model(BACKBONE), build_model(BACKBONE, heads=False)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1)
    state = source.state_dict()
    load_state_dict(
        target, {k: v for k, v in state.items() if not k.startswith('backbone.trunk')})
    for key, value in target.state_dict().items():
        frozen = key.startswith('backbone.trunk.')
        assert torch.equal(value, state[key] - 1 if frozen else state[key]), key
    load_state_dict(target, state)
    assert all(torch.equal(v, state[k]) for k, v in target.state_dict().items())


def write_config(path, **trunk):
    config = Config(
        dict(
            default_scope='mmaction',
            custom_imports=dict(imports=['mmbt'], allow_failed_imports=False),
            model=dict(
                type='VideoTextModel',
                trunk=dict(type='OpenCLIPTrunk', arch=TINY, **trunk),
                backbone=BACKBONE)))
    config.dump(path)
    return str(path)


def test_init_model_gives_the_checkpoint_s_outputs_without_fetching_clip(tmp_path, batch):
    model = build_model(BACKBONE).float()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    config = write_config(tmp_path / 'config.py', pretrained='not-to-be-read')
    loaded = init_model(config, str(tmp_path / 'weights.pth'))
    assert not loaded.training
    imgs = batch['imgs'].float()
    torch.testing.assert_close(loaded.encode_video(imgs), model.encode_video(imgs))
    torch.testing.assert_close(
        loaded.encode_text(batch['tokens']), model.encode_text(batch['tokens']))
    encoding = loaded.encode(imgs)
    assert encoding.visible is None
    torch.testing.assert_close(encoding.branch_tokens, model.encode(imgs).branch_tokens)


def test_init_model_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='config .*none.py is missing'):
        init_model(tmp_path / 'none.py')
    config = write_config(tmp_path / 'config.py', pretrained='not-to-be-fetched')
    with pytest.raises(FileNotFoundError, match='checkpoint none.pth is missing'):
        init_model(config, 'none.pth')


class Malice:
    """Pickled, it would create a file on loading."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path, )


def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path):
    torch.save(dict(state_dict={}, extra=Malice(str(tmp_path / 'ran'))), tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match='mkdir'):
        init_model(write_config(tmp_path / 'config.py'), str(tmp_path / 'bad.pth'))
    assert not (tmp_path / 'ran').exists()


def test_short_captions_equal_padded_ones(batch):
    model = build_model(BACKBONE)
    padded = torch.nn.functional.pad(batch['tokens'], (0, 3))
    assert torch.equal(model.encode_text(batch['tokens']), model.encode_text(padded))
    with pytest.raises(ValueError, match=r'L <= 8'):
        model.encode_text(torch.nn.functional.pad(batch['tokens'], (0, 4)))


def test_trunk_reads_open_clip_s_file_and_this_project_s(tmp_path):
    from open_clip.model import CLIP
    torch.manual_seed(1)
    theirs = CLIP(**TINY)
    torch.save(theirs.state_dict(), tmp_path / 'open_clip.pt')
    trunk = OpenCLIPTrunk(TINY, pretrained=str(tmp_path / 'open_clip.pt'))
    image, tokens = torch.randn(2, 3, 12, 12), torch.tensor([[58, 3, 59, 0, 0, 0, 0, 0]])
    ours = trunk.proj(trunk.norm(trunk.hidden_states(image[:, None], [4])[0].cls[:, 0]))
    torch.testing.assert_close(ours, theirs.eval().encode_image(image))
    torch.testing.assert_close(trunk.text(tokens), theirs.encode_text(tokens))

    model = build_model(BACKBONE).float()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'ours.pth')
    again = OpenCLIPTrunk(TINY, pretrained=str(tmp_path / 'ours.pth'))
    for key, value in model.trunk.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


def test_trunk_says_what_is_wrong_with_arch_and_weights(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown arch 'ViT-L-15'; did you mean .*ViT-L-14"):
        OpenCLIPTrunk('ViT-L-15')
    with pytest.raises(ValueError, match='lacks text_cfg'):
        OpenCLIPTrunk({k: v for k, v in TINY.items() if k != 'text_cfg'})
    with pytest.raises(ValueError, match='not a plain vision transformer'):
        OpenCLIPTrunk(dict(TINY, vision_cfg=dict(TINY['vision_cfg'], pool_type='avg')))
    with pytest.raises(FileNotFoundError, match='neither a file here nor one of the tags openai'):
        OpenCLIPTrunk('ViT-L-14', pretrained='nothing.pt')
    other = dict(TINY, vision_cfg=dict(TINY['vision_cfg'], width=24))
    torch.save(dict(state_dict=build_model(BACKBONE).state_dict()), tmp_path / 'ours.pth')
    with pytest.raises(ValueError, match='ours.pth does not hold the weights'):
        OpenCLIPTrunk(other, pretrained=str(tmp_path / 'ours.pth'))

    def fail(*args, **kwargs):
        raise RuntimeError('no network')

    monkeypatch.setattr(trunk_weights.open_clip, 'download_pretrained', fail)
    with pytest.raises(FileNotFoundError, match="weights 'openai' of ViT-B-32 .* cannot be fet"):
        trunk_weights.find_weights('ViT-B-32', 'openai')


def test_openai_tag_means_quick_gelu():
    assert not trunk_weights.architecture('ViT-B-32').get('quick_gelu', False)
    assert trunk_weights.architecture('ViT-B-32', 'openai')['quick_gelu']
    assert trunk_weights.architecture('ViT-B-32-quickgelu')['quick_gelu']


def test_a_torchscript_archive_is_refused_with_what_to_take_instead(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1)), tmp_path / 'clip.pt')
    with pytest.raises(ValueError, match='TorchScript archive.*safetensors'):
        OpenCLIPTrunk(TINY, pretrained=str(tmp_path / 'clip.pt'))


@pytest.mark.parametrize('whole', [True, False])
def test_a_test_fetches_clip_only_where_the_checkpoint_lacks_it(tmp_path, whole):
    state = build_model(BACKBONE).state_dict()
    if not whole:
        state = {k: v for k, v in state.items() if not k.startswith('backbone.trunk.')}
    torch.save(dict(state_dict=state), tmp_path / 'weights.pth')
    config = Config(dict(model=dict(trunk=dict(pretrained='openai')),
                         load_from=str(tmp_path / 'weights.pth')))
    skip_idle_weights(config)
    assert config.model.trunk.pretrained == (None if whole else 'openai')
