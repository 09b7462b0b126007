"""The model card: what it says, where it is carried, and what it refuses."""
import copy
import json

import open_clip
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner.checkpoint import load_checkpoint

from mmbt.apis import init_model, load_branch, save_branch
from mmbt.engine import ModelCardHook
from mmbt.engine.launch import skip_idle_weights
from mmbt.files.source import CARD
from mmbt.models import HuggingFaceTrunk, OpenCLIPTrunk, VideoTextDataPreprocessor
from mmbt.models.card import ModelCard, read_card
from mmbt.models.checkpoints import card_files
from mmbt.models.checkpoints.card_files import model_card

from ..support.tiny import FRAMES, TINY, build_model, stir
from ..support.tiny_tags import HALF, NAME, publish
from ..support.tiny_towers import clip, frames

BACKBONE = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES)


@pytest.fixture
def tags(monkeypatch, tmp_path):
    """The tiny CLIP's tags are known, see :mod:`tiny_tags`; the file of their weights."""
    publish(monkeypatch, tmp_path / 'clip.pt')
    return tmp_path / 'clip.pt'


def config_of(arch, pretrained=None, **trunk):
    """A config of a model beside a trunk."""
    return Config(dict(
        default_scope='mmaction', custom_imports=dict(imports=['mmbt']),
        model=dict(type='VideoTextModel', backbone=BACKBONE,
                   trunk=dict(type='OpenCLIPTrunk', arch=arch, pretrained=pretrained, **trunk))))


class Runner:
    """What a hook sees of MMEngine's runner when a checkpoint is saved."""

    def __init__(self, model):
        self.model = model

    def checkpoint(self):
        checkpoint = dict(meta={}, state_dict=self.model.state_dict())
        ModelCardHook().before_save_checkpoint(self, checkpoint)
        return checkpoint


def trained(folder, *args, **kwargs):
    """A model of a config with a stirred branch; its checkpoint and branch file in the folder."""
    model = init_model(config_of(*args, **kwargs))
    stir(model.backbone.branch)
    torch.save(Runner(model).checkpoint(), folder / 'epoch_1.pth')
    save_branch(model, folder / 'branch.pth')
    return model


def imgs(dtype=torch.float32):
    return frames('clip').to(dtype)


def test_a_card_by_hand():
    model = build_model(BACKBONE)
    card = model_card(model)
    assert card.fingerprint is not None and len(card.fingerprint) == 14
    told = {name: value for name, value in card.to_dict().items()
            if value is not None and name != 'fingerprint'}
    assert told == dict(
        arch='custom', depth=4, width=16, num_heads=2, activation='quick_gelu', pooling='cls',
        image_size=[12, 12], mean=[0.48145466, 0.4578275, 0.40821073],
        std=[0.26862954, 0.26130258, 0.27577711], tokenizer='clip', context_length=8, text_heads=2,
        text_pooling='argmax', backbone='BTAdapter', num_frames=4, temperature=0.01,
        architecture=TINY, interaction=True)
    assert ModelCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card
    assert list(card.differences(card)) == []
    assert model_card(build_model(BACKBONE, trunk=dict(drop_last=1), heads=False)).depth == 4


def test_the_fingerprint_tells_clips_apart_and_not_their_precision():
    model = build_model(BACKBONE)
    stir(model.trunk, 0.05)
    card, halved = model_card(model), model_card(copy.deepcopy(model).half())
    assert card != halved and list(card.differences(halved)) == []
    torch.nn.init.normal_(model.trunk.visual.position_embedding, std=1.)
    assert 'another CLIP' in ' '.join(model_card(model).differences(card))
    assert list(model_card(model).differences(card, same_clip=False)) == []


def test_a_tag_says_activation_mean_and_resizing():
    """Of the published weights; on the meta device, since they are not here."""
    def card(arch, tag):
        with torch.device('meta'):
            return OpenCLIPTrunk(arch, tag, read_weights=False).card

    assert card('ViT-B-16', 'openai').activation == 'quick_gelu'
    assert card('ViT-B-16', 'laion2b_s34b_b88k').activation == 'gelu'
    laion = card('ViT-L-14', 'laion2b_s32b_b82k')
    assert laion.mean == laion.std == HALF and laion.resize_mode == 'shortest'
    dfn = card('ViT-H-14-378-quickgelu', 'dfn5b')
    assert dfn.resize_mode == 'squash' and dfn.image_size == (378, 378)
    assert dfn.activation == 'quick_gelu' and dfn.interpolation == 'bicubic'
    worldwide = card('ViT-L-14-worldwide', None)
    assert worldwide.tokenizer == 'google/mt5-base clean=canonicalize'
    assert worldwide.text_pooling == 'eos'


@pytest.mark.parametrize('file', ['epoch_1.pth', 'branch.pth'])
def test_what_a_tag_said_in_training_holds_in_a_test(file, tags, tmp_path):
    """With ``pretrained`` not read, since the checkpoint brings CLIP, it is quick-GELU still."""
    model = trained(tmp_path, NAME, 'quick')
    config = config_of(NAME, 'quick')
    again = init_model(config, str(tmp_path / file))
    assert torch.equal(again.encode_video(imgs()), model.encode_video(imgs()))
    config.load_from = str(tmp_path / 'epoch_1.pth')
    skip_idle_weights(config)
    assert config.model.trunk.read_weights is False
    rebuilt = MODELS.build(config.model)
    load_checkpoint(rebuilt, config.load_from)
    assert torch.equal(rebuilt.eval().encode_video(imgs()), model.encode_video(imgs()))


@pytest.mark.parametrize('way', [
    lambda path: init_model(config_of(NAME, 'plain'), path),
    lambda path: init_model(config_of(NAME), path),
    lambda path: load_checkpoint(init_model(config_of(NAME)), path),
    lambda path: load_branch(init_model(config_of(NAME, 'plain')), path)])
def test_another_activation_is_refused_with_what_to_set(way, tags, tmp_path):
    trained(tmp_path, NAME, 'quick')
    for file in ('branch.pth', 'epoch_1.pth'):
        with pytest.raises(ValueError) as error:
            way(str(tmp_path / file))
        if 'holds CLIP too' not in str(error.value):
            assert str(error.value) == (
                f"{tmp_path / file} was made beside quick-GELU, this config says GELU: set "
                f"arch='{NAME}-quickgelu' in model.trunk")


@pytest.mark.parametrize('change, message', [
    (dict(), None),
    (dict(arch=dict(TINY, vision_cfg=dict(TINY['vision_cfg'], head_width=4))),
     'num_heads=2, this config says 4'),
    (dict(arch=dict(TINY, text_cfg=dict(TINY['text_cfg'], heads=4))), 'text_heads=2, .* says 4'),
    (dict(arch=dict(TINY, text_cfg=dict(TINY['text_cfg'], pool_type='eos', eos_id=59))),
     "text_pooling='argmax', .* says 'eos'"),
    (dict(preprocess_cfg=dict(mean=HALF)), r'mean=\(0.4815, .* says \(0.5, 0.5, 0.5\): set pre'),
    (dict(preprocess_cfg=dict(std=(0.2, 0.2, 0.2))), r'std=\(0.2686, .* says \(0.2, 0.2, 0.2\)'),
    (dict(preprocess_cfg=dict(resize_mode='shortest')), "resize_mode='squash', .* says 'shortest'"),
    (dict(arch=dict(TINY, text_cfg=dict(TINY['text_cfg'], hf_tokenizer_name='google/mt5-base'))),
     "tokenizer='clip', .* says 'google/mt5-base'"),
])
def test_what_no_weight_shows_is_refused_all_the_same(change, message, tmp_path):
    trained(tmp_path, TINY, preprocess_cfg=dict(resize_mode='squash'))
    config = config_of(**{**dict(arch=TINY), **change})
    for file in ('epoch_1.pth', 'branch.pth'):
        config.model.trunk.pretrained = str(tmp_path / 'epoch_1.pth') if message is None else None
        if message is None:
            init_model(config, str(tmp_path / file))
        else:
            with pytest.raises(ValueError, match=f'{file} was made with {message}'):
                init_model(config, str(tmp_path / file))


def test_a_checkpoint_as_pretrained_brings_its_preprocessing(tmp_path):
    trained(tmp_path, TINY, preprocess_cfg=dict(mean=HALF, resize_mode='squash'))
    path = str(tmp_path / 'epoch_1.pth')
    for read in (True, False):
        card = OpenCLIPTrunk(TINY, path, read_weights=read).card
        assert card.mean == HALF and card.resize_mode == 'squash'
    with pytest.raises(ValueError, match='preprocess_cfg says mean=.*, and the card of .*epoch_1'):
        OpenCLIPTrunk(TINY, path, preprocess_cfg=dict(mean=(0.4, 0.5, 0.5)))
    with pytest.raises(ValueError, match='epoch_1.pth was made beside quick-GELU, this config'):
        OpenCLIPTrunk(dict(TINY, quick_gelu=False), path)
    assert read_card(path).backbone == read_card(tmp_path / 'branch.pth').backbone == 'BTAdapter'
    assert read_card(tmp_path / 'none.pth') is None is read_card('openai')


@pytest.fixture
def lines(monkeypatch):
    """What is logged of cards."""
    told = []
    monkeypatch.setattr(card_files, 'print_log', lambda line, *_: told.append(line))
    return told


def test_a_branch_and_a_checkpoint_of_before_load_with_a_line(tmp_path, lines):
    model = trained(tmp_path, TINY)
    for file in ('epoch_1.pth', 'branch.pth'):
        path = tmp_path / file
        old = torch.load(path, weights_only=True)
        del old['meta'][CARD]
        torch.save(old, path)
        other = config_of(TINY, str(tmp_path / 'epoch_1.pth'), preprocess_cfg=dict(mean=HALF))
        again = init_model(other, str(path))
        assert torch.equal(again.encode_video(imgs()), model.encode_video(imgs()))
        assert lines.pop().startswith(f'{path} has no model card') and not lines


def test_a_branch_alone_needs_its_clip_and_not_one_of_its_kind(tmp_path):
    """Where the marks of every weight are not in the file, the card's own say it."""
    model = trained(tmp_path, TINY)
    path = tmp_path / 'branch.pth'
    bare = torch.load(path, weights_only=True)
    bare['state_dict'] = {k: v for k, v in bare['state_dict'].items() if 'fingerprint' not in k}
    torch.save(bare, path)
    load_branch(model, path)
    stir(model.trunk)
    with pytest.raises(ValueError, match='branch.pth was made beside another CLIP .custom. than'):
        load_branch(model, path)


def test_a_converted_config_is_held_to_its_own_card(tmp_path):
    model = trained(tmp_path, TINY)
    config, path = config_of(TINY), str(tmp_path / 'epoch_1.pth')
    config[CARD] = model_card(model).to_dict()
    init_model(config, path)
    init_model(config)  # random weights are another CLIP, and none was asked for
    stir(model.trunk)
    torch.save(Runner(model).checkpoint(), path)
    with pytest.raises(ValueError, match='the model_card of the config was made beside another CL'):
        init_model(config, path)
    config.model.trunk.arch.quick_gelu = False
    with pytest.raises(ValueError, match='model_card of the config was made beside quick-GELU'):
        init_model(config)


def test_a_temperature_is_only_said(tmp_path, lines):
    trained(tmp_path, TINY)
    config = config_of(TINY)
    config.model.heads = [dict(type='VTCHead', temperature=0.05)]
    told = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    told['meta'][CARD]['temperature'] = 0.01
    torch.save(told, tmp_path / 'epoch_1.pth')
    path = str(tmp_path / 'epoch_1.pth')
    init_model(config, path)
    assert lines == [f'{path} was made with a temperature of 0.01, this config says 0.05']


def test_preprocess_cfg_may_not_say_otherwise(tags, tmp_path):
    trunk = OpenCLIPTrunk(NAME, 'half', preprocess_cfg=dict(mean=[0.5, 0.5, 0.5]))
    assert trunk.card.mean == HALF
    with pytest.raises(ValueError, match="says resize_mode='squash', and the tag 'half' of ViT-Ti"):
        OpenCLIPTrunk(NAME, 'half', preprocess_cfg=dict(resize_mode='squash'))
    with pytest.raises(ValueError, match="preprocess_cfg has no 'meen'; it takes mean, std"):
        OpenCLIPTrunk(NAME, preprocess_cfg=dict(meen=HALF))
    with pytest.raises(ValueError, match="preprocess_cfg: resize_mode is 'squashed', which is"):
        OpenCLIPTrunk(NAME, preprocess_cfg=dict(resize_mode='squashed'))


def test_open_clip_s_config_beside_a_local_file_is_read(tags):
    local = dict(pretrained=str(tags))
    assert OpenCLIPTrunk(NAME, **local).card.mean == open_clip.OPENAI_DATASET_MEAN
    config = tags.parent / 'open_clip_config.json'
    config.write_text(json.dumps(dict(preprocess_cfg=dict(
        mean=HALF, std=HALF, resize_mode='squash', interpolation='bicubic'))))
    for read in (True, False):
        card = OpenCLIPTrunk(NAME, **local, read_weights=read).card
        assert card.mean == card.std == HALF and card.resize_mode == 'squash'
    config.write_text('{"preprocess_cfg": {"mean": "half"}}')
    with pytest.raises(ValueError, match="open_clip_config.json: mean is 'half', which is none"):
        OpenCLIPTrunk(NAME, **local)


def test_a_hugging_face_folder_says_mean_and_activation(tmp_path):
    clip().save_pretrained(tmp_path)
    card = HuggingFaceTrunk(str(tmp_path)).card
    assert card.mean == open_clip.OPENAI_DATASET_MEAN and card.activation == 'quick_gelu'
    assert card.tokenizer is None and card.image_size == (12, 12)
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_mean=HALF, image_std=[0.25, 0.25, 0.25], size=dict(height=12, width=12))))
    card = HuggingFaceTrunk(str(tmp_path)).card
    assert card.mean == HALF and card.std == (0.25, 0.25, 0.25) and card.resize_mode is None
    assert HuggingFaceTrunk(clip(), folder=str(tmp_path)).card.mean == HALF
    with pytest.raises(ValueError, match='preprocess_cfg says mean=.*, and .*processor_config'):
        HuggingFaceTrunk(str(tmp_path), preprocess_cfg=dict(mean=(0.1, 0.1, 0.1)))


def test_the_preprocessor_takes_mean_and_std_from_the_trunk(tags):
    model = init_model(config_of(NAME, 'half'))
    grey = dict(inputs=dict(imgs=[torch.full((1, 3, 12, 12), 51, dtype=torch.uint8)]))
    batch = model.data_preprocessor(grey)['inputs']['imgs']
    torch.testing.assert_close(batch, torch.full_like(batch, 51 / 127.5 - 1))
    config = config_of(NAME, 'half')
    config.model.data_preprocessor = dict(type='VideoTextDataPreprocessor', mean=[127.5] * 3)
    init_model(config)
    config.model.data_preprocessor.mean = [122.77, 116.75, 104.09]
    with pytest.raises(ValueError, match='data_preprocessor says mean=.122.8.*ViT-Tiny.*leave'):
        init_model(config)
    before, after = VideoTextDataPreprocessor(), build_model(BACKBONE).float().data_preprocessor
    assert torch.equal(before.mean, after.mean) and torch.equal(before.std, after.std)


@pytest.mark.parametrize('arch, why', [
    ('coca_base', "arch 'coca_base': the text tower is that of a CoCa"),
    ('coca_ViT-L-14', 'CoCa'), ('roberta-ViT-B-32', "text tower is Hugging Face's roberta-base"),
    (dict(TINY, text_cfg=dict(TINY['text_cfg'], output_tokens=True)), 'CoCa'),
    (dict(TINY, text_cfg=dict(TINY['text_cfg'], no_causal_mask=True)), 'backwards too'),
    (dict(TINY, text_cfg=dict(TINY['text_cfg'], pool_type='last')), 'elsewhere than at its end'),
])
def test_text_towers_that_would_fail_later_are_refused_at_once(arch, why):
    with pytest.raises(ValueError, match=f'{why}[^\n]*not served; take one of a plain CLIP$'):
        OpenCLIPTrunk(arch)


@pytest.mark.parametrize('told', [
    'a card', 7, [], dict(activation='relu'), dict(mean=[1, 2]), dict(std=[0, 0, 0]),
    dict(mean=[float('nan')] * 3), dict(width=True), dict(width=10**400), dict(arch='a\nb'),
    dict(arch='x' * 300), dict(image_size='12x12'), dict(fingerprint=[1.] * 13),
    dict(temperature=-1), dict(resize_mode={}), dict(activation=[]), dict(tokenizer=['\ud800'])])
def test_a_stranger_s_card_is_refused_in_a_line(told, tmp_path):
    model = build_model(BACKBONE)
    save_branch(model, tmp_path / 'branch.pth')
    file = torch.load(tmp_path / 'branch.pth', weights_only=True)
    torch.save(dict(file, meta={CARD: told}), tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match='odd.pth: its model_card (is no dict|has )') as error:
        load_branch(model, tmp_path / 'odd.pth')
    assert '\n' not in str(error.value)


def test_a_card_of_a_later_version_is_read():
    card = build_model(BACKBONE).trunk.card
    assert ModelCard.from_dict(dict(card.to_dict(), rotary=True)) == card
