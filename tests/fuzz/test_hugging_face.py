"""Hugging Face folders that nobody meant: configs, indexes, weights and tokenizers."""
import functools
import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file

from mmbt.conversation.models.llava_v1 import PROJECTOR
from mmbt.conversation.models.loading import from_pretrained, tokenizer_of
from mmbt.conversation.models.minigpt4_parts import q_former_of
from mmbt.models.families.hugging_face_check import check_config
from mmbt.models.families.hugging_face_files import load_vision, part_of
from support.fuzz import Door, fuzz

from ..conversation.models.folders import clip_folder
from ..conversation.models.tiny_dialogue import tokenizer
from ..conversation.models.tiny_llava import llava
from ..support import tiny_towers

pytestmark = pytest.mark.slow

COUNT, SLOW = 40, 12  # of each file


def clip_examples(folder):
    clip_folder(folder / 'clip')
    return [folder / 'clip']


def split_examples(folder):
    """The same in two files of pickles, with an index."""
    clip_folder(folder / 'split')
    state = load_file(folder / 'split' / 'model.safetensors')
    (folder / 'split' / 'model.safetensors').unlink()
    names, index = sorted(state), {}
    for number in range(2):
        file = f'pytorch_model-0000{number + 1}-of-00002.bin'
        torch.save({name: state[name] for name in names[number::2]}, folder / 'split' / file)
        index.update(dict.fromkeys(names[number::2], file))
    (folder / 'split' / 'pytorch_model.bin.index.json').write_text(json.dumps(
        dict(metadata={}, weight_map=index)))
    return [folder / 'split']


def llava_examples(folder):
    torch.manual_seed(0)
    llava().float().save_pretrained(folder / 'llava')
    return [folder / 'llava']


def tokenizer_examples(folder):
    tokenizer().save_pretrained(folder / 'words')
    return [folder / 'words']


def blip2_examples(folder):
    torch.manual_seed(0)
    tiny_towers.blip2().float().save_pretrained(folder / 'blip2')
    return [folder / 'blip2']


def small(folder):
    """The files of a folder without those of weights, which the other doors damage."""
    return [path for path in sorted(folder.iterdir()) if path.suffix == '.json']


DOORS = [
    Door('vision tower of a folder', clip_examples, lambda path: load_vision(str(path))),
    Door('vision tower of several files', split_examples, lambda path: load_vision(str(path))),
    Door('LLaVA of a folder', llava_examples, lambda path: from_pretrained(
        transformers.LlavaForConditionalGeneration, str(path), torch.float32)),
    Door('Q-Former of a folder', blip2_examples, lambda path: q_former_of(str(path)),
         targets=small),
    Door('tokenizer of a folder', tokenizer_examples, lambda path: tokenizer_of(str(path))),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
@pytest.mark.filterwarnings('ignore')
def test_a_value_or_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path, SLOW if 'LLaVA' in door.name else COUNT)
    assert tally.faults == [] and tally.refused > 5


@functools.cache
def settings():
    config = transformers.CLIPVisionConfig(**tiny_towers.HF_CLIP)
    return json.loads(json.dumps(config.to_dict()))


@pytest.mark.parametrize('change', [
    dict(num_labels=10**8), dict(num_channels=10**7), dict(num_attention_heads=-4),
    dict(text_config=dict(num_labels=10**8)), dict(num_hidden_layers=10**9),
    dict(hidden_size=10**9), dict(image_size=10**9),
    dict(vocab_size=10**12), dict(intermediate_size=-10**7), dict(hidden_size=float('inf')),
    dict(vision_config=dict(num_hidden_layers=1_000)), dict(vision_config=[1]),
    dict(attn_implementation='someone/kernel'), dict(_attn_implementation='someone/kernel@main'),
    dict(text_config=dict(attn_implementation='a.b:c'))])
def test_a_config_of_no_model_is_refused_in_one_line(change):
    with pytest.raises(ValueError, match='^folder: [^\n]*config') as refusal:
        check_config('folder', {**settings(), **change})
    assert '\n' not in str(refusal.value)


def test_a_config_larger_than_its_weights_is_refused_before_it_takes_memory(tmp_path):
    folder, = clip_examples(tmp_path)
    path = folder / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'hidden_size': 16_384,
                                'num_hidden_layers': 100, 'intermediate_size': 65_536}))
    for load in (load_vision, lambda name: from_pretrained(
            transformers.CLIPVisionModel, name, torch.float32)):
        with pytest.raises(ValueError, match='clip: its config.json is of a model of 3.22e\\+11'):
            load(str(folder))


def test_the_channels_of_a_picture_count_as_weights(tmp_path):
    folder, = clip_examples(tmp_path)
    path = folder / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'num_channels': 65_536,
                                'patch_size': 1_024}))
    with pytest.raises(ValueError, match='clip: its config.json is of a model of 1.1e\\+12'):
        load_vision(str(folder))


@pytest.mark.parametrize('file', ['../outside.bin', '/etc/passwd', '..', '', 'a/b.bin', 7, None,
                                  'x.bin/../../y.bin', '.bin', 'a.pkl'])
def test_an_index_that_leaves_the_folder_is_refused(file, tmp_path):
    folder, = split_examples(tmp_path)
    shutil.copy(folder / 'pytorch_model-00001-of-00002.bin', tmp_path / 'outside.bin')
    index = folder / 'pytorch_model.bin.index.json'
    content = json.loads(index.read_text())
    content['weight_map'][next(iter(content['weight_map']))] = file
    index.write_text(json.dumps(content))
    for load in (load_vision, lambda name: part_of(name, (PROJECTOR, )),
                 lambda name: from_pretrained(transformers.CLIPVisionModel, name, torch.float32)):
        with pytest.raises(ValueError, match='split: pytorch_model.bin.index.json names .*no file'):
            load(str(folder))


def test_code_beside_a_model_is_not_run(tmp_path):
    """A config that names Python files of its folder, which transformers would ask about."""
    folder = tmp_path / 'code'
    clip_folder(folder)
    (folder / 'evil.py').write_text(f'open({str(tmp_path / "touched")!r}, "w")')
    config = dict(model_type='stranger', auto_map={
        name: f'evil.{name}' for name in ('AutoConfig', 'AutoModelForCausalLM', 'AutoTokenizer')})
    (folder / 'config.json').write_text(json.dumps(config))
    (folder / 'tokenizer_config.json').write_text(json.dumps(dict(
        tokenizer_class='EvilTokenizer', auto_map=dict(AutoTokenizer=['evil.Evil', None]))))
    for load in (lambda name: from_pretrained(transformers.AutoModelForCausalLM, name,
                                              torch.float32), tokenizer_of, load_vision):
        with pytest.raises((ValueError, FileNotFoundError)) as refusal:
            load(str(folder))
        assert str(folder) in str(refusal.value) and '\n' not in str(refusal.value)
    assert not (tmp_path / 'touched').exists()
