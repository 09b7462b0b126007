"""The text tower's own tokenizer: captions stay apart, and ids of another one are refused."""
import pytest
import torch
from mmaction.registry import MODELS

from mmbt.apis import VideoSearch
from mmbt.datasets import TokenizeText, fit_pipeline
from mmbt.models import OpenCLIPTrunk
from mmbt.models.tokenizer import build_tokenizer, tokenize, tokenizer_spec

from ..support.tiny import TINY, build_model, stir
from ..support.tiny_words import CAPTIONS, arch_of, save_words


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The folder of the tokenizer."""
    path = tmp_path_factory.mktemp('tokenizer') / 'words'
    save_words(path)
    return str(path)


@pytest.fixture(scope='module')
def trunk(folder):
    torch.manual_seed(0)
    trunk = OpenCLIPTrunk(arch_of(folder))
    stir(trunk.text)
    return trunk


def distances(features):
    """The smallest distance between two captions' features."""
    return torch.pdist(features).min()


def test_every_caption_has_an_embedding_of_its_own(trunk):
    tokens = trunk.tokenize(CAPTIONS, 8)
    assert tokens.tolist() == [[3, 4, 5, 3, 6, 1, 0, 0], [3, 7, 8, 1, 0, 0, 0, 0],
                               [9, 1, 0, 0, 0, 0, 0, 0]]
    assert trunk.tokenize(['A man, opens: a DOOR! a dog'], 5).tolist() == [[3, 4, 5, 3, 1]]
    assert distances(trunk.text(tokens)) > 0.1
    assert trunk.card.tokenizer == 'words clean=canonicalize'


def test_ids_of_clip_s_tokenizer_are_refused_there(trunk):
    """Read at an end token that is not there, every caption is the same."""
    ids = tokenize(CAPTIONS, 8)
    assert distances(trunk.text.transformer(ids)) == 0  # the fault
    with pytest.raises(ValueError, match='its end token, id 1, which 3 of 3 captions lack: .*to'):
        trunk.text.check(ids)
    with pytest.raises(ValueError, match='id 1, which 1 of 3 captions lack'):
        trunk.text.check(torch.cat([trunk.tokenize(CAPTIONS[:2], 8), ids[:1]]))


def test_ids_of_another_tokenizer_are_refused_by_a_tower_of_clip(trunk):
    plain = OpenCLIPTrunk(dict(TINY, text_cfg=dict(TINY['text_cfg'], vocab_size=49408)))
    plain.text.check(tokenize(CAPTIONS, 8))
    with pytest.raises(ValueError, match='behind which 3 of 3 captions go on: .*model.trunk.token'):
        plain.text.check(trunk.tokenize(CAPTIONS, 8))
    with pytest.raises(ValueError, match='knows token ids below 60, got 49407'):
        build_model().encode_text(tokenize(CAPTIONS, 8))


def test_data_heads_and_search_take_the_trunk_s(trunk, folder):
    step = TokenizeText(8, caption='all')
    fit_pipeline([step], trunk.card, trunk.text)
    sample = step(dict(captions=CAPTIONS, video_id='v'))
    assert torch.equal(sample['tokens'], trunk.tokenize(CAPTIONS, 8))
    config = dict(type='VideoTextModel', backbone=dict(type='FrameMean'),
                  trunk=dict(type='OpenCLIPTrunk', arch=arch_of(folder)),
                  cls_head=dict(type='ZeroShotHead', classes=CAPTIONS, context_length=8))
    model = MODELS.build(config)
    stir(model.trunk.text)
    assert distances(model.class_features()) > 0.01
    search = VideoSearch(model, [dict(type='ReadFrames', num_frames=2)], 8)
    expected = torch.nn.functional.normalize(model.encode_text(model.trunk.tokenize(CAPTIONS, 8)))
    torch.testing.assert_close(torch.from_numpy(search.encoder.texts(CAPTIONS)), expected)
    told = 'clip.* is words clean=canonicalize: leave arch out'
    for wrong in (lambda: fit_pipeline([TokenizeText(8, arch='ViT-B-16')], trunk.card, trunk.text),
                  lambda: MODELS.build({**config, 'cls_head': {**config['cls_head'],
                                                               'arch': 'ViT-B-16'}})):
        with pytest.raises(ValueError, match=told):
            wrong()
    with pytest.raises(ValueError, match='tokens of clip, .* are of words clean=canon.*: leave'):
        VideoSearch(model, [dict(type='ReadFrames', num_frames=2)], 8, 'ViT-B-16')
    for long in (lambda: VideoSearch(model, [dict(type='ReadFrames', num_frames=2)], 9),
                 lambda: MODELS.build({**config, 'cls_head': dict(
                     type='ZeroShotHead', classes=CAPTIONS, context_length=9)})):
        with pytest.raises(ValueError, match='context_length.* 8 tokens at most'):
            long()


def test_a_tokenizer_that_cannot_be_had_is_said_at_the_start(monkeypatch, tmp_path):
    monkeypatch.setattr('mmbt.models.tokenizer.hub_is_out_of_reach', lambda: True)
    with torch.device('meta'):
        trunk = OpenCLIPTrunk(arch_of('nobody/has-such-a-tokenizer'))
    for start in (lambda: fit_pipeline([TokenizeText(8)], trunk.card, trunk.text),
                  lambda: build_tokenizer('ViT-L-14-worldwide'),
                  lambda: build_tokenizer(arch_of(str(tmp_path)))):
        with pytest.raises(FileNotFoundError, match='tokenizer [^\n]*(be had|holds no)[^\n]*$'):
            start()


@pytest.mark.parametrize('settings', [dict(trust_remote_code=True), dict(bpe_path='x'),
                                      dict(tokenizer_file='x')])
def test_an_architecture_cannot_make_a_tokenizer_run_code(settings, folder):
    with pytest.raises(ValueError, match='tokenizer_kwargs of an arch takes .*, and not'):
        OpenCLIPTrunk(arch_of(folder, **settings))


def test_names_and_dicts_say_the_same_tokenizer():
    assert tokenizer_spec('ViT-B-16') == tokenizer_spec(TINY) == tokenizer_spec('ViT-L-14')
    assert str(tokenizer_spec('ViT-L-14-worldwide')) == 'google/mt5-base clean=canonicalize'
    assert str(tokenizer_spec('ViT-H-14-worldwide')) == 'facebook/xlm-v-base'
    assert build_tokenizer('ViT-B-16') is build_tokenizer(TINY)
