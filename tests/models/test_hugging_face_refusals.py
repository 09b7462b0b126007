"""Vision towers of transformers that are refused, and why."""
import json
import os

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from mmbt.models import HuggingFaceTrunk

from ..support.tiny_towers import (
    LANGUAGE,
    blip2_vision,
    clip_vision,
)


def refused(message, model, error=ValueError, **arguments):
    """The error is of one line and says what it should."""
    with pytest.raises(error, match=message) as caught:
        HuggingFaceTrunk(model, **arguments)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize('arguments', [
    dict(drop_last=-1), dict(drop_last=4), dict(depth=5), dict(depth=3), dict(depth=0),
    dict(depth=6, drop_last=1), dict(depth=3, drop_last=1)])
def test_layers_that_do_not_fit_are_refused(arguments):
    refused('check depth and drop_last', clip_vision(), **arguments)


def language_model():
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**LANGUAGE))


def test_a_module_without_a_vision_tower_is_refused():
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig(**LANGUAGE))
    for module, name in ((language_model(), 'LlamaForCausalLM'), (text, 'CLIPTextModel'),
                         (torch.nn.Linear(2, 2), 'Linear')):
        refused(f'no vision tower of CLIP, BLIP-2 or InstructBLIP in a {name}; take', module)


def test_a_tower_with_another_activation_or_without_bias_is_refused():
    config = transformers.CLIPVisionConfig(hidden_size=16, intermediate_size=64, image_size=12,
                                           patch_size=4, num_hidden_layers=1,
                                           num_attention_heads=2, hidden_act='relu')
    refused("activation 'relu'.* gelu, quick_gelu", transformers.CLIPVisionModel(config))
    refused('qkv_bias=False', blip2_vision(qkv_bias=False))


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('mmbt.models.families.hugging_face_files.hub_is_out_of_reach', lambda: True)
    for name in (str(tmp_path / 'none'), 'nobody/has-such-a-model'):
        refused(f'{name}.* is no folder here', name, FileNotFoundError)
    refused('has no config.json', str(tmp_path), FileNotFoundError)
    clip_vision().config.save_pretrained(tmp_path)
    refused('has no model.safetensors or pytorch_model.bin', str(tmp_path), FileNotFoundError)


def test_a_folder_of_another_model_is_refused(tmp_path):
    language_model().save_pretrained(tmp_path / 'llama')
    refused("model_type 'llama'", str(tmp_path / 'llama'))
    first_llava = tmp_path / 'llava-v1'
    first_llava.mkdir()
    settings = dict(LANGUAGE, model_type='llava', mm_vision_tower='openai/clip-vit-large-patch14')
    (first_llava / 'config.json').write_text(json.dumps(settings))
    refused("Hugging Face's form .model_type 'llava'", str(first_llava))


def test_weights_that_are_not_whole_are_refused(tmp_path):
    """transformers itself would go on with random weights in their place."""
    clip_vision().save_pretrained(tmp_path)
    path = tmp_path / 'model.safetensors'
    state = load_file(path)
    lost = next(key for key in state if key.endswith('layers.2.mlp.fc1.weight'))
    save_file({key: value for key, value in state.items() if key != lost}, path)
    refused('do not fit its config.json: Missing key.*layers.2.mlp.fc1', str(tmp_path))
    save_file({lost: state[lost]}, path)
    refused('no vision towers', str(tmp_path))
    path.write_bytes(path.read_bytes()[:50])
    refused('cannot be read', str(tmp_path))


class Trap:
    """A pickle that would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path), )


@pytest.mark.parametrize('suffix', ['bin', 'safetensors'])
def test_quantised_weights_and_names_that_leave_their_line_are_refused(suffix, tmp_path):
    """An int8 weight, copied into one of float32, would be 127 times as large as it is meant."""
    clip_vision().save_pretrained(tmp_path)
    state = load_file(tmp_path / 'model.safetensors')
    (tmp_path / 'model.safetensors').unlink()
    name = next(key for key in state if key.endswith('q_proj.weight'))
    for changed, line in (({name: state[name].to(torch.int8)}, 'is of torch.int8, not of floating'),
                          ({'vision_model.\n\x1b[31mx': torch.zeros(1)}, 'is no name')):
        if suffix == 'bin':
            torch.save({**state, **changed}, tmp_path / 'pytorch_model.bin')
        else:
            save_file({**state, **changed}, tmp_path / 'model.safetensors')
        with pytest.raises(ValueError, match=f'^{tmp_path}.*{line}') as refusal:
            HuggingFaceTrunk(str(tmp_path))
        assert str(refusal.value).isprintable()


def test_code_in_a_pickle_is_not_run(tmp_path):
    clip_vision().config.save_pretrained(tmp_path)
    torch.save({'weight': Trap(tmp_path / 'sprung')}, tmp_path / 'pytorch_model.bin')
    refused('holds code .*mkdir', str(tmp_path))
    assert not (tmp_path / 'sprung').exists()
