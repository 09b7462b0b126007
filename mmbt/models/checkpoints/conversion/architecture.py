"""The architecture that weights are of, as open_clip describes it."""
from math import isqrt
from pathlib import Path
from typing import Any

import open_clip
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from mmbt.files.json_text import read_json

from ...families.arch_check import check_arch
from .released import Released

MOST_BYTES = 2**20  # of an architecture's file
HEAD_WIDTH = 64  # channels of an attention head in every CLIP of OpenAI's
OPENAI = 'ViT-L-14-quickgelu'
EVA = 'EVA01-g-14'
MOST_BYTES = 2**20  # of a json file of an architecture
Arch = str | dict[str, Any]


def read_arch(path: str | Path) -> dict[str, Any]:
    """An open_clip architecture from a json file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no json, or holds no architecture, or one that no machine could hold.
    """
    try:
        arch = read_json(path, object, 'architecture', most=MOST_BYTES)
        check_arch(arch)
    except ValueError as error:
        told = str(error).removeprefix(str(path)).removeprefix(':').strip()
        raise ValueError(f'--arch {path}: {told}') from error
    if arch['vision_cfg'].get('timm_model_pretrained'):
        arch['vision_cfg']['timm_model_pretrained'] = False  # they are in the file
    return arch


def infer(released: Released) -> Arch:
    """The architecture that the shapes in a released file tell.

    Returns:
        open_clip's name of it, or a dict where it has none.

    Raises:
        ValueError: If the shapes do not tell it.
    """
    if released.form.key == 'branch':
        return OPENAI
    return infer_eva(released) if released.form.key == 'eva' else named(infer_clip(released))


def infer_clip(released: Released) -> dict[str, Any]:
    """The architecture of a file beside OpenAI's CLIP; heads are taken to be 64 wide."""
    text, shapes = 'text_backbone.text_model.', released.shape
    width, _, patch, _ = shapes('backbone.patch_embedding.weight', 4)
    positions, _ = shapes('backbone.position_embedding.weight', 2)
    embed_dim, _ = shapes('backbone.visual_projection.weight', 2)
    vocabulary, text_width = shapes(f'{text}embeddings.token_embedding.weight', 2)
    context, _ = shapes(f'{text}embeddings.position_embedding.weight', 2)
    side = isqrt(positions - 1)
    if side * side != positions - 1:
        raise ValueError(f'backbone.position_embedding.weight is for {positions - 1} patches, no '
                         'square; give the architecture with --arch arch.json')
    for size in (width, text_width):
        if size % HEAD_WIDTH:
            raise ValueError(f'the attention heads of a width of {size} cannot be told: it is no '
                             f'multiple of {HEAD_WIDTH}; give the architecture with --arch '
                             'arch.json')
    vision: dict[str, Any] = dict(
        image_size=side * patch, patch_size=patch, width=width,
        layers=released.layers('backbone.layers.'))
    words: dict[str, Any] = dict(
        context_length=context, vocab_size=vocabulary, width=text_width,
        heads=text_width // HEAD_WIDTH, layers=released.layers(f'{text}encoder.layers.'))
    for part, layer in ((vision, 'backbone.layers.0.'), (words, f'{text}encoder.layers.0.')):
        ratio = shapes(f'{layer}mlp.fc1.weight', 2)[0] / part['width']
        if ratio != 4:
            part['mlp_ratio'] = ratio
    return dict(embed_dim=embed_dim, quick_gelu=True, vision_cfg=vision, text_cfg=words)


def infer_eva(released: Released) -> str:
    """EVA01-g-14, the one EVA-CLIP that open_clip has and that the branch can stand beside."""
    seen = (*released.shape('backbone.head.weight', 2), released.layers('backbone.blocks.'))
    if seen != (1024, 1408, 40):
        raise ValueError(f'an EVA-CLIP with {seen[2]} layers of {seen[1]} channels is not {EVA}; '
                         'give its architecture with --arch arch.json')
    return EVA


def named(arch: dict[str, Any]) -> Arch:
    """open_clip's name of an architecture where it has one, else the same dict."""
    ours = normal(arch)
    for name in sorted(open_clip.list_models(), key=lambda name: (len(name), name)):
        if ours is not None and normal(open_clip.get_model_config(name)) == ours:
            return name
    return arch


def normal(arch: dict[str, Any]) -> tuple | None:
    """What makes two architectures the same, with what they leave unsaid; None for a broken one."""
    try:
        return (arch['embed_dim'], arch.get('quick_gelu', False),
                CLIPVisionCfg(**arch['vision_cfg']), CLIPTextCfg(**arch['text_cfg']))
    except TypeError:
        return None
