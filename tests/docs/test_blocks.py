"""Every block of the documents that can be run is run; commands are parsed."""
import importlib
import json
import re
from dataclasses import fields

import pytest
import torch
import transformers
import yaml
from mmaction.registry import DATASETS, METRICS, MODELS
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope, init_default_scope
from torch.nn.functional import cosine_similarity

from .blocks import (
    BLOCKS,
    CONFIGS,
    DOCUMENTS,
    IDLE,
    MODULES,
    OF_MODULES,
    PYTHON,
    QUOTED,
    SCRIPTS,
    SHELL,
    read_blocks,
)
from .commands import check, check_options, commands, load, options
from .house import furnish

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A folder with all that the blocks name; the working folder of every test here."""
    home = tmp_path_factory.mktemp('docs')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.syspath_prepend(str(home))
        patch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))
        furnish(home)
        init_default_scope('mmaction')
        yield home


def test_every_block_is_looked_at():
    """Each is run or built, parsed, compared, or named here with the reason."""
    assert {str(block): block.told('not run:') for block in IDLE} == {}
    read = [block for block in BLOCKS if block.language in ('', 'json', 'bibtex')]
    seen = [*PYTHON, *SHELL, *QUOTED, *IDLE, *read]
    assert sorted(map(str, seen)) == sorted(map(str, BLOCKS))
    assert len(SCRIPTS) >= 6 and len(CONFIGS) >= 8 and len(SHELL) >= 25 and len(OF_MODULES) >= 6


def test_every_fence_is_a_block():
    """An indented fence, or one of tildes, would be shown and never looked at."""
    for path in DOCUMENTS:
        fences = re.findall(r'^\s*(?:`{3,}|~{3,})', path.read_text(), re.M)
        assert len(fences) == 2 * len(read_blocks(path)), path


@pytest.fixture
def brief(monkeypatch):
    """Language models of random weights say a few tokens where they may say a thousand."""
    generate = transformers.LlamaForCausalLM.generate
    monkeypatch.setattr(
        transformers.LlamaForCausalLM, 'generate',
        lambda self, max_new_tokens, **kwargs: generate(
            self, max_new_tokens=min(max_new_tokens, 8), **kwargs))


@pytest.mark.parametrize('block', SCRIPTS, ids=str)
def test_code_runs(block, home, brief):
    exec(compile(block.code, str(block), 'exec'), {'__name__': 'docs'})


def without_download(model):
    """A model's config whose CLIP has random weights."""
    model = model.to_dict()
    model['trunk'].pop('pretrained', None)
    return model


@pytest.mark.parametrize('name', CONFIGS)
def test_a_config_builds_and_its_data_are_read(name, home):
    config = load(name, home)
    loader = config.get('test_dataloader') or config.train_dataloader
    with torch.device('meta'):  # knows shapes and holds no numbers
        model = MODELS.build(without_download(config.model))
    with DefaultScope.overwrite_default_scope('mmaction'):
        sample = DATASETS.build(loader.dataset)[0]
    imgs = sample['inputs']['imgs']
    assert imgs.shape[-2:] == model.trunk.image_size and imgs.dtype is torch.uint8


def test_a_module_of_one_s_own_trains(home):
    """The recipes of 'Extending it', from annotation to gradient, and what each does."""
    assert list(MODULES) == ['my_module.py']
    module = importlib.import_module('my_module')
    config = load('mine/extended.py', home)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    assert len(dataset) == 4
    captions = json.loads((home / 'work_dirs/demo/world/train.json').read_text())
    data = pseudo_collate([dataset[index] for index in range(3)])
    assert [sample.captions for sample in data['data_samples']] == list(captions.values())[:3]
    inputs = model.data_preprocessor(data)['inputs']
    losses = model.train().loss(inputs)
    visible = model.mask(3, 8, 16, 'cpu')
    assert visible.dtype is torch.int64 and visible.tolist() == [list(range(8))] * 3

    with torch.no_grad():
        text, video = model.encode_text(inputs['tokens']), model.encode_video(inputs['imgs'])
        last = model.encode_video(inputs['imgs'][:, -1:])
    torch.testing.assert_close(video, last)  # of the last frame alone
    cosines = cosine_similarity(video, text)
    torch.testing.assert_close(losses['loss_cosine'].detach(), 0.5 * (1 - cosines).mean())
    losses['loss_cosine'].backward()
    trained = {name for name, each in model.named_parameters() if each.grad is not None}
    assert trained == {'backbone.shift'} and model.backbone.shift.grad.any()
    # Any backbone stands beside the trunk, whose layers are the branch's start.
    branch = MODELS.build(dict(type='BTAdapter', num_layers=2), default_args=dict(
        trunk=module.PlainTrunk()))
    assert branch(torch.randn(1, 8, 3, 64, 64)).video.shape == (1, 24)

    metric = METRICS.build(dict(type='MeanCosine'))
    for sample, each, words in zip(data['data_samples'], video, text):
        sample.video_feature, sample.text_features = each, words[None]
    metric.process(None, [sample.to_dict() for sample in data['data_samples']])
    found = metric.evaluate(3)
    assert found['cosine/mean'] == pytest.approx(float(cosines.mean()), abs=1e-6)
    assert found['cosine/scored'] == 3


@pytest.mark.parametrize('block', QUOTED, ids=str)
def test_an_excerpt_has_the_fields_of_what_it_quotes(block):
    module, _, name = block.told('excerpt of').rpartition('.')
    kept = {}
    exec('from __future__ import annotations\nfrom dataclasses import dataclass\n' + block.text,
         kept)
    quoted = getattr(importlib.import_module(module), name)
    assert [field.name for field in fields(kept[name])] == [field.name for field in fields(quoted)]


@pytest.mark.parametrize('block', SHELL, ids=str)
def test_commands_exist_and_take_their_arguments(block, home, monkeypatch):
    config = block.told('of')
    if config is not None:
        words, = commands(block.text)
        check_options(load(config, home), options(words))
        return
    for words in commands(block.text):
        check(words, monkeypatch, home)


MANIFESTS = [block for block in BLOCKS if block.text.startswith('apiVersion: ')]


@pytest.mark.parametrize('block', MANIFESTS, ids=str)
def test_the_command_of_a_manifest_takes_its_arguments(block, home, monkeypatch):
    spec = yaml.safe_load(block.text)['spec']['template']['spec']
    for container in spec['containers']:
        line, = container['args']
        words, = commands(line.removeprefix('exec '))
        check(words, monkeypatch, home)


@pytest.mark.parametrize('command, wrong', [
    ('seq 0 7 | xargs -I{} mmbt embed x.txt --prat {}', 'does not take'),
    ('make dmeo', ''), ('mmbt serach', 'no command serach'),
    ('mmbt demo --smll x', 'does not take'), ('wget x', 'does not know'),
    ('mim test mmbt configs/zeroshot_none.py --checkpoint a.pth', 'no such config'),
    ('mim train mmbt configs/pretrain_webvid.py --gpu 8', 'does not take'),
    ('mim train mmbt configs/pretrain_webvid.py --cfg-options model.msk.ratio=1', 'no msk in'),
    ('mim train mmbt configs/pretrain_webvid.py --cfg-options model.mask.rate=1',
     'TubeMask takes no rate'),
    ('mim test mmbt configs/zeroshot_msrvtt.py --checkpoint a.pth --cfg-options '
     'test_dataloader.dataset.pipeline.2.context_length=32', 'takes no context_length'),
    ("pip install '.[judgement]'", '')])
def test_wrong_commands_are_noticed(command, wrong, home, monkeypatch, capsys):
    words, = commands(command)
    with pytest.raises(AssertionError, match=wrong):
        check(words, monkeypatch, home)


@pytest.mark.parametrize('block', [block for block in BLOCKS if block.language == 'json'], ids=str)
def test_json_is_json(block):
    json.loads(block.text)
