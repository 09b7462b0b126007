"""Released files for the tests: the authors' tiny ones, and others made from scratch."""
import json
from pathlib import Path

import torch

from mmbt.models.checkpoints.conversion import convert

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / 'configs'
PARITY = ROOT / 'tests' / 'data' / 'parity'


def released(name='gated'):
    """The state dict of a parity file."""
    return torch.load(PARITY / f'{name}.pth')['state_dict']


def expected(name):
    """What the released code computes with a parity file."""
    return torch.load(PARITY / f'{name}.expected.pth')


def save(content, path):
    """Save to a path, and return it."""
    torch.save(content, path)
    return path


def arch_file(folder, arch=None):
    """A json file of an architecture: by default the parity files', whose heads are 16 wide."""
    path = folder / 'arch.json'
    path.write_text(json.dumps(expected('gated')['arch'] if arch is None else arch))
    return path


def converted(source, folder, **flags):
    """Convert, with the parity files' architecture if no other; return what OUT.pth holds too."""
    out = folder / 'out.pth'
    if 'arch' not in flags:
        flags['arch'] = arch_file(folder)
    done = convert(source, out, CONFIGS, **flags)
    return done, torch.load(out)['state_dict']


def conversation(state, layers=2):
    """The branch of a conversation model, made of the first layers of a pretraining file's."""
    late = tuple(f'backbone.btadapter_{part}_layers.{layers}.' for part in 'ST')
    return {name.replace('backbone.', 'model.vision_tower.', 1): value
            for name, value in state.items()
            if name.startswith('backbone.btadapter_') and not name.startswith(late)}


def hf_layer(prefix, width, ratio=4, temporal=False):
    """Shapes of a layer in Hugging Face's names."""
    shapes = {f'{prefix}layer_norm1.': (width, )}
    for part in 'qkv':
        shapes[f'{prefix}self_attn.{part}_proj.'] = (width, width)
    shapes[f'{prefix}self_attn.out_proj.'] = (width, width)
    if temporal:
        shapes[f'{prefix}temporal_fc.'] = (width, width)
    else:
        shapes.update({f'{prefix}layer_norm2.': (width, ),
                       f'{prefix}mlp.fc1.': (ratio * width, width),
                       f'{prefix}mlp.fc2.': (width, ratio * width)})
    return with_biases(shapes)


def with_biases(shapes):
    """Shapes of modules -> shapes of their weights and biases."""
    return {f'{name}{kind}': shape if kind == 'weight' else shape[:1]
            for name, shape in shapes.items() for kind in ('weight', 'bias')}


def clip_shapes(width, depth, patch, side, embed, text_width, text_depth, vocabulary=49408,
                context=77, layers=4):
    """Shapes of a pretraining file beside a CLIP of OpenAI's, with gates and MBTA's projection."""
    text = 'text_backbone.text_model.'
    shapes = {
        'backbone.class_embedding': (width, ),
        'backbone.balance1': (width, ),
        'backbone.balance2': (width, ),
        'backbone.btadapter_cls_token': (1, 1, width),
        'backbone.btadapter_time_embed.weight': (64, width),
        'backbone.patch_embedding.weight': (width, 3, patch, patch),
        'backbone.position_embedding.weight': (1 + side * side, width),
        'backbone.visual_projection.weight': (embed, width),
        'text_backbone.text_projection.weight': (embed, text_width),
        f'{text}embeddings.token_embedding.weight': (vocabulary, text_width),
        f'{text}embeddings.position_embedding.weight': (context, text_width),
        **with_biases({
            'backbone.pre_layrnorm.': (width, ),
            'backbone.post_layernorm.': (width, ),
            f'{text}final_layer_norm.': (text_width, ),
            'extra_proj.0.': (embed, width),
            'extra_proj.1.': (embed, ),
        })
    }
    for i in range(depth):
        shapes.update(hf_layer(f'backbone.layers.{i}.', width))
    for i in range(text_depth):
        shapes.update(hf_layer(f'{text}encoder.layers.{i}.', text_width))
    for i in range(layers):
        shapes.update(hf_layer(f'backbone.btadapter_S_layers.{i}.', width))
        shapes.update(hf_layer(f'backbone.btadapter_T_layers.{i}.', width, temporal=True))
    return shapes


def timm_layer(prefix, width, hidden, temporal=False):
    """Shapes of a layer of EVA in timm's names."""
    shapes = {f'{prefix}norm1.': (width, ), f'{prefix}attn.proj.': (width, width)}
    if temporal:
        shapes[f'{prefix}temporal_fc.'] = (width, width)
    else:
        shapes.update({f'{prefix}norm2.': (width, ), f'{prefix}mlp.fc1.': (hidden, width),
                       f'{prefix}mlp.fc2.': (width, hidden)})
    return {**with_biases(shapes), f'{prefix}attn.qkv.weight': (3 * width, width),
            f'{prefix}attn.q_bias': (width, ), f'{prefix}attn.v_bias': (width, )}


def eva_shapes(width=1408, depth=40, hidden=6144, side=16, embed=1024, text_width=768,
               text_depth=12, vocabulary=49408, context=77, layers=4):
    """Shapes of a pretraining file beside EVA-CLIP; by default EVA01-g-14's."""
    shapes = {
        'backbone.cls_token': (1, 1, width),
        'backbone.pos_embed': (1, 1 + side * side, width),
        'backbone.btadapter_cls': (1, 1, width),
        'backbone.btadapter_position.weight': (64, width),
        'text_backbone.token_embedding.weight': (vocabulary, text_width),
        'text_backbone.positional_embedding': (context, text_width),
        'text_backbone.text_projection': (text_width, embed),
        **with_biases({
            'backbone.patch_embed.proj.': (width, 3, 14, 14),
            'backbone.norm.': (width, ),
            'backbone.head.': (embed, width),
            'text_backbone.ln_final.': (text_width, ),
        })
    }
    for i in range(depth):
        shapes.update(timm_layer(f'backbone.blocks.{i}.', width, hidden))
    for i in range(layers):
        shapes.update(timm_layer(f'backbone.btadapter_S.{i}.', width, hidden))
        shapes.update(timm_layer(f'backbone.btadapter_T.{i}.', width, hidden, temporal=True))
    for i in range(text_depth):
        block = f'text_backbone.transformer.resblocks.{i}.'
        shapes.update(with_biases({
            f'{block}ln_1.': (text_width, ), f'{block}ln_2.': (text_width, ),
            f'{block}attn.in_proj_': (3 * text_width, text_width),
            f'{block}attn.out_proj.': (text_width, text_width),
            f'{block}mlp.c_fc.': (4 * text_width, text_width),
            f'{block}mlp.c_proj.': (text_width, 4 * text_width)}))
    return shapes


def on_meta(shapes):
    """Weights without memory."""
    return {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}


def filled(shapes, scale=0.2):
    """Random weights."""
    generator = torch.Generator().manual_seed(4)
    return {name: scale * torch.randn(shape, generator=generator)
            + (1. if 'norm' in name and name.endswith('weight') else 0.)
            for name, shape in shapes.items()}
