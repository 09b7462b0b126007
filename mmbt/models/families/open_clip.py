"""Image-text models of open_clip as trunks: OpenAI's CLIP, LAION's, EVA-CLIP-g."""
import json
from dataclasses import replace
from typing import Any

from mmaction.registry import MODELS
from open_clip.model import CustomTextCLIP
from open_clip.timm_model import TimmModel
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from open_clip.transformer import VisionTransformer as OpenCLIPViT
from timm.models.eva import Eva, EvaAttention, EvaBlock
from torch import nn

from ..card import is_architecture, read_card
from ..text import TextTower
from ..tokenizer import tokenizer_spec
from ..trunk import Trunk
from ..vit import VisionTransformer, ViTOptions
from .names import OPEN_CLIP, TIMM
from .open_clip_weights import architecture, find_weights, load_weights, misfit, own_trunk_weights
from .preprocessing import NAMES, beside, of_tag, settled


@MODELS.register_module()
class OpenCLIPTrunk(Trunk):
    """A vision transformer of open_clip with its text tower.

    Args:
        arch: An open_clip name such as ``'ViT-L-14-quickgelu'`` or ``'EVA01-g-14'``, or an
            architecture dict with ``embed_dim``, ``vision_cfg``, ``text_cfg`` and, for OpenAI's
            activation, ``quick_gelu``.
        pretrained: An open_clip tag such as ``'openai'`` (fetched once, then cached), a local
            file (open_clip's formats or a checkpoint of this project), or None for random
            weights.
        frozen: Whether both towers are frozen. Defaults to True.
        drop_last: Layers at the end of the vision tower that are not run, as dialogue models do.
        float8: Whether the vision tower's products are in float8, see :class:`Trunk`.
        preprocess_cfg: ``mean``, ``std`` (in 0..1), ``resize_mode`` and ``interpolation`` of the
            weights' training, where neither the tag, nor ``open_clip_config.json`` beside a file,
            nor a checkpoint's own card tells them. Defaults to OpenAI's CLIP's mean and standard
            deviation, the resizing unknown.
        read_weights: Whether ``pretrained`` is read. False where a checkpoint brings the weights:
            what ``pretrained`` tells of activation and preprocessing holds all the same.

    Raises:
        ValueError: If the architecture is unknown, is neither a plain vision transformer with a
            CLS token nor EVA-01, its text tower is not open_clip's own, the weights are of
            another architecture or activation, or ``preprocess_cfg`` says otherwise than they do.
        FileNotFoundError: If the weights are neither here nor to be had.
    """

    text: TextTower

    def __init__(self,
                 arch: str | dict,
                 pretrained: str | None = None,
                 frozen: bool = True,
                 drop_last: int = 0,
                 float8: bool = False,
                 preprocess_cfg: dict[str, Any] | None = None,
                 read_weights: bool = True) -> None:
        config = architecture(arch, pretrained)
        spec = tokenizer_spec(config)
        card = read_card(pretrained)
        told = None if pretrained is None else of_tag(arch, pretrained) or beside(pretrained)
        if card is not None:
            told = f'the card of {pretrained}', {name: getattr(card, name) for name in NAMES}
        frames = settled(told, preprocess_cfg)
        path = find_weights(arch, pretrained) if pretrained and read_weights else None
        model = CustomTextCLIP(**config)
        own = None if path is None else own_trunk_weights(arch, path)
        if path is not None and own is None:
            load_weights(model, arch, path)
        super().__init__(vision_transformer(model.visual, arch),
                         TextTower(model.text, frozen, spec), frozen,
                         drop_last=drop_last, float8=float8, preprocessing=frames,
                         arch=arch if isinstance(arch, str) else 'custom')
        if path is not None and own is not None:
            with misfit(arch, path):
                self.load_state_dict(own)
        tag = card.pretrained if card is not None else None
        if pretrained is not None and of_tag(arch, pretrained):
            tag = pretrained
        self.card = replace(self.card, architecture=plain_arch(arch), pretrained=tag)
        if card is not None:
            for difference in self.card.differences(card):
                raise ValueError(f'{pretrained} {difference}')


def plain_arch(arch: str | dict) -> dict[str, Any] | None:
    """An architecture dict as a model card carries it; None for a name, or where it cannot."""
    if isinstance(arch, str):
        return None
    try:
        plain = json.loads(json.dumps(arch))
    except (TypeError, ValueError):
        return None
    return plain if is_architecture(plain) else None


def vision_transformer(visual: nn.Module, arch: str | dict) -> VisionTransformer:
    """Ours with the weights of a vision tower of open_clip, which should not be used after.

    Args:
        visual: The vision tower.
        arch: What it is, for errors.

    Raises:
        ValueError: If the branch cannot stand beside it.
    """
    if type(visual) is OpenCLIPViT:
        options, names, inner = options_of(visual), OPEN_CLIP, visual
    elif type(visual) is TimmModel:
        options, names, inner = options_of_eva(visual), TIMM, visual.trunk
    else:
        raise ValueError(f'arch {arch!r}: the vision tower is a {type(visual).__name__}; take a '
                         'ViT architecture of open_clip, or EVA01-g-14')
    if options is None:
        why = 'the vision tower is not a plain vision transformer with a CLS token; take a ViT ' \
            'architecture of open_clip, or EVA01-g-14' if names is OPEN_CLIP else \
            "of timm's vision towers the branch can stand beside EVA-01 alone, such as EVA01-g-14"
        raise ValueError(f'arch {arch!r}: {why}')
    return VisionTransformer.from_state(options, inner.state_dict(), names.translate)


def options_of(visual: OpenCLIPViT) -> ViTOptions | None:
    """What open_clip's own vision transformer is made of.

    None if it is not that of the CLIP paper: it pools tokens, drops patches, scales layers or has
    no CLS token.
    """
    blocks = visual.transformer.resblocks
    plain = visual.attn_pool is None and visual.pool_type == 'tok' and \
        not visual.final_ln_after_pool and isinstance(visual.patch_dropout, nn.Identity) and \
        all(type(block) is ResidualAttentionBlock and isinstance(block.ls_1, nn.Identity)
            for block in blocks)
    if not plain:
        return None
    return ViTOptions(
        width=len(visual.ln_post.weight),
        num_layers=len(blocks),
        num_heads=blocks[0].attn.num_heads,
        mlp_width=blocks[0].mlp.c_fc.out_features,
        image_size=tuple(visual.image_size),
        patch_size=tuple(visual.patch_size),
        embed_dim=visual.proj.shape[1],
        activation='quick_gelu' if isinstance(blocks[0].mlp.gelu, QuickGELU) else 'gelu',
        eps=visual.ln_post.eps,
        pre_norm=not isinstance(visual.ln_pre, nn.Identity))


def options_of_eva(visual: TimmModel) -> ViTOptions | None:
    """What timm's EVA-01 is made of, ``EVA01-g-14`` of open_clip.

    None if it is another timm model, or EVA-02 with its rotary positions and gated layers.
    """
    eva = visual.trunk
    plain = isinstance(eva, Eva) and isinstance(eva.head, nn.Linear) and \
        len(visual.head) == 0 and eva.global_pool == 'token' and eva.rope is None and \
        eva.pos_embed is not None and eva.num_prefix_tokens == 1 and \
        eva.patch_drop is None and not getattr(eva, 'no_embed_class', False) and \
        isinstance(eva.norm_pre, nn.Identity) and isinstance(eva.fc_norm, nn.Identity) and \
        all(map(is_plain_block, eva.blocks))
    if not plain:
        return None
    return ViTOptions(
        width=eva.embed_dim,
        num_layers=len(eva.blocks),
        num_heads=eva.blocks[0].attn.num_heads,
        mlp_width=eva.blocks[0].mlp.fc1.out_features,
        image_size=tuple(eva.patch_embed.img_size),
        patch_size=tuple(eva.patch_embed.patch_size),
        embed_dim=eva.head.out_features,
        eps=eva.norm.eps,
        patch_bias=True,
        pre_norm=False,
        proj_bias=True,
        drop_path=getattr(eva.blocks[-1].drop_path1, 'drop_prob', 0.))


def is_plain_block(block: nn.Module) -> bool:
    """Whether a layer of timm's is attention and an MLP with GELU, biased but for the keys."""
    return type(block) is EvaBlock and type(block.attn) is EvaAttention and \
        block.attn.qkv is not None and block.attn.q_bias is not None and \
        block.gamma_1 is None and isinstance(block.attn.norm, nn.Identity) and \
        isinstance(getattr(block.attn, 'q_norm', nn.Identity()), nn.Identity) and \
        getattr(block.attn, 'gate', None) is None and \
        isinstance(getattr(block.mlp, 'act', None), nn.GELU) and \
        isinstance(getattr(block.mlp, 'norm', nn.Identity()), nn.Identity) and \
        isinstance(block.mlp.fc1, nn.Linear)
