"""Tiny dialogue models as folders, in the forms that they are published in."""
import json

import torch
import transformers
from safetensors.torch import save_file

from ...support.tiny import stir
from ...support.tiny_towers import HF_CLIP
from .tiny_dialogue import LANGUAGE, tokenizer


def language_model(seed=2, **change):
    """A random causal language model."""
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**LANGUAGE, **change}))
    stir(model, 0.3)
    return model.eval()


def clip_folder(path):
    """A CLIP with its vision tower alone, and the tower."""
    torch.manual_seed(3)
    tower = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**HF_CLIP))
    stir(tower, 0.3)
    tower.save_pretrained(path)
    return tower.eval()


def llava_v1_folder(path, marks=False, select_layer=-2):
    """LLaVA v1 in its authors' form; its language model and its projector."""
    language = language_model(vocab_size=103 if marks else 101)
    language.save_pretrained(path)
    tokenizer(marks=marks).save_pretrained(path)
    projector = torch.nn.Linear(16, 16)
    stir(projector, 0.3)
    state = {**{name: value.clone() for name, value in language.state_dict().items()},
             'model.mm_projector.weight': projector.weight.data.clone(),
             'model.mm_projector.bias': projector.bias.data.clone()}
    save_file(state, path / 'model.safetensors', metadata=dict(format='pt'))
    config = json.loads((path / 'config.json').read_text())
    config.update(model_type='llava', architectures=['LlavaLlamaForCausalLM'],
                  mm_vision_tower='openai/clip-vit-large-patch14', mm_hidden_size=16,
                  mm_vision_select_layer=select_layer, mm_use_im_start_end=marks)
    (path / 'config.json').write_text(json.dumps(config))
    return language, projector


def hf_folder(model, path, questions=False):
    """A model of transformers with its tokenizer, and that of its Q-Former."""
    model.float().save_pretrained(path)
    tokenizer().save_pretrained(path)
    if questions:
        tokenizer(start=False).save_pretrained(path / 'qformer_tokenizer')


def language_folder(path):
    """A language model with its tokenizer; the model."""
    model = language_model(seed=4)
    hf_folder(model, path)
    return model


def minigpt4_layer(path, width=16, hidden=16):
    """MiniGPT-4's own layer in a file; the layer."""
    torch.manual_seed(5)
    layer = torch.nn.Linear(width, hidden)
    torch.save(dict(model={f'llama_proj.{name}': value for name, value
                           in layer.state_dict().items()}), path)
    return layer
