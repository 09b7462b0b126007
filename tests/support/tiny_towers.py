"""Tiny vision towers in the forms of open_clip and of transformers, with the same weights."""
import re

import torch
import transformers
from open_clip.model import CustomTextCLIP
from timm.models import register_model
from timm.models.eva import _create_eva

from mmbt.models import OpenCLIPTrunk
from mmbt.models.families.open_clip import vision_transformer
from mmbt.models.families.open_clip_weights import architecture

from .tiny import TINY, stir


@register_model
def eva_tiny_test(pretrained=False, **kwargs):
    """A tiny EVA-01."""
    sizes = dict(img_size=28, patch_size=14, embed_dim=32, depth=4, num_heads=2, mlp_ratio=3.)
    return _create_eva('eva_tiny_test', pretrained=False, **dict(sizes, **kwargs))


EVA = dict(
    embed_dim=12,
    vision_cfg=dict(
        image_size=28, timm_model_name='eva_tiny_test', timm_pool='token', timm_proj=None),
    text_cfg=dict(context_length=8, vocab_size=60, width=16, heads=2, layers=2))
ARCHS = {'clip': TINY, 'eva': EVA}

HF_CLIP = dict(hidden_size=16, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2,
               image_size=12, patch_size=4, hidden_act='quick_gelu', projection_dim=12)
HF_EVA = dict(hidden_size=32, intermediate_size=96, num_hidden_layers=4, num_attention_heads=2,
              image_size=28, patch_size=14, hidden_act='gelu', layer_norm_eps=1e-6)
LANGUAGE = dict(vocab_size=60, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
QFORMER = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
               intermediate_size=32, encoder_hidden_size=32)


def library(family):
    """open_clip's own model, every weight of whose vision tower is random, in double precision."""
    torch.manual_seed(0)
    model = CustomTextCLIP(**architecture(ARCHS[family])).eval()
    stir(model.visual)
    return model.double()


def reference(family, drop_last=0):
    """A frozen trunk with the weights of :func:`library`."""
    trunk = OpenCLIPTrunk(ARCHS[family], drop_last=drop_last).double()
    theirs = vision_transformer(library(family).visual, family)
    trunk.visual.load_state_dict(theirs.state_dict())
    return trunk


def frames(family, clips=2):
    """(B, T, 3, H, W) normalised frames for the tiny towers."""
    size = ARCHS[family]['vision_cfg']['image_size']
    generator = torch.Generator().manual_seed(3)
    return torch.randn(clips, 4, 3, size, size, generator=generator, dtype=torch.float64)


def clip_vision():
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**HF_CLIP))


def clip_vision_with_projection():
    config = transformers.CLIPVisionConfig(**HF_CLIP)
    return transformers.CLIPVisionModelWithProjection(config)


def clip():
    text = transformers.CLIPTextConfig(**LANGUAGE)
    vision = transformers.CLIPVisionConfig(**HF_CLIP)
    return transformers.CLIPModel(transformers.CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=12))


def llava():
    return transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**HF_CLIP),
        text_config=transformers.LlamaConfig(**LANGUAGE)))


def blip2_vision(**changes):
    config = transformers.Blip2VisionConfig(**dict(HF_EVA, **changes))
    return transformers.Blip2VisionModel(config)


def instructblip_vision(**changes):
    config = transformers.InstructBlipVisionConfig(**dict(HF_EVA, **changes))
    return transformers.InstructBlipVisionModel(config)


def blip2():
    language = transformers.LlamaConfig(**LANGUAGE)
    return transformers.Blip2ForConditionalGeneration(transformers.Blip2Config(
        vision_config=HF_EVA, qformer_config=QFORMER, text_config=language.to_dict()))


def instructblip():
    language = transformers.LlamaConfig(**LANGUAGE)
    return transformers.InstructBlipForConditionalGeneration(transformers.InstructBlipConfig(
        vision_config=HF_EVA, qformer_config=QFORMER, text_config=language.to_dict()))


CLIPS_OF_HF = [clip_vision, clip_vision_with_projection, clip, llava]
EVAS_OF_HF = [blip2_vision, instructblip_vision, blip2, instructblip]
FAMILY = {**dict.fromkeys(CLIPS_OF_HF, 'clip'), **dict.fromkeys(EVAS_OF_HF, 'eva')}

# A trunk's names for its weights, and what transformers calls them.
RENAMED = [
    (r'^patch_embedding', 'embeddings.patch_embedding'),
    (r'^cls_token', 'embeddings.class_embedding'),
    (r'^position_embedding', 'embeddings.position_embedding'),
    (r'^pre_norm', 'pre_layrnorm'),
    (r'^norm', 'post_layernorm'),
    (r'^blocks\.(\d+)\.norm(\d)', r'encoder.layers.\1.layer_norm\2'),
    (r'^blocks\.(\d+)\.attn', r'encoder.layers.\1.self_attn'),
    (r'^blocks\.(\d+)\.fc', r'encoder.layers.\1.mlp.fc'),
]


def in_hf_form(state, family):
    """A trunk's canonical state -> the state dict of a vision transformer of transformers."""
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        if family == 'eva':
            wrapped = name in ('embeddings.class_embedding', 'embeddings.position_embedding')
            name = name.replace('self_attn.proj.', 'self_attn.projection.')
            renamed[name] = value.reshape(1, -1, value.shape[-1]) if wrapped else value
        elif '.qkv.' in name:
            for part, piece in zip('qkv', value.chunk(3)):
                renamed[name.replace('.qkv.', f'.{part}_proj.')] = piece
        else:
            name = name.replace('self_attn.proj.', 'self_attn.out_proj.')
            renamed[re.sub('position_embedding$', 'position_embedding.weight', name)] = value
    return renamed


def inner_transformer(model):
    """The vision transformer of a model of transformers, whatever its version."""
    for name in ('model', 'vision_tower', 'vision_model'):
        model = getattr(model, name, model)
    return model


def same_weights(build, trunk, **changes):
    """A model of transformers whose vision tower has the weights of a trunk, with all its layers.

    With fewer layers it has the first ones.
    """
    torch.manual_seed(1)
    model = build(**changes).double().eval()
    inner = inner_transformer(model)
    state = in_hf_form(trunk.canonical_state(), FAMILY[build])
    projection = state.pop('proj.weight')
    state.pop('proj.bias', None)
    layers = len(inner.encoder.layers)
    kept = {name: value for name, value in state.items()
            if not name.startswith('encoder.') or int(name.split('.')[2]) < layers}
    inner.load_state_dict(kept)
    if hasattr(model, 'visual_projection'):
        model.visual_projection.load_state_dict(dict(weight=projection))
    return model
