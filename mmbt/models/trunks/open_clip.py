"""Image-text models of open_clip as trunks: OpenAI's CLIP, LAION's, EVA-CLIP-g."""
import json
from dataclasses import replace
from typing import Any, Dict, Optional, Union

from mmaction.registry import MODELS
from open_clip.model import CustomTextCLIP
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import nn

from ..checkpoints.card import is_architecture
from ..checkpoints.card_files import read_card
from ..text import TextTower
from ..tokenizer import tokenizer_spec
from .base import Trunk
from .preprocessing import NAMES, beside, of_tag, settled
from .towers import OpenCLIPViT, TimmEVA, Tower
from .weights import architecture, find_weights, load_weights

TOWERS = {VisionTransformer: OpenCLIPViT, TimmModel: TimmEVA}


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
                 arch: Union[str, Dict],
                 pretrained: Optional[str] = None,
                 frozen: bool = True,
                 drop_last: int = 0,
                 float8: bool = False,
                 preprocess_cfg: Optional[Dict[str, Any]] = None,
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
        if path is not None:
            load_weights(model, arch, path)
        text = TextTower(model.text, frozen, spec)
        super().__init__(model.visual, view(model.visual, arch), text, frozen,
                         drop_last=drop_last, float8=float8, preprocessing=frames,
                         arch=arch if isinstance(arch, str) else 'custom')
        tag = card.pretrained if card is not None else None
        if pretrained is not None and of_tag(arch, pretrained):
            tag = pretrained
        self.card = replace(self.card, architecture=plain_arch(arch), pretrained=tag)
        if card is not None:
            for difference in self.card.differences(card):
                raise ValueError(f'{pretrained} {difference}')


def plain_arch(arch: Union[str, Dict]) -> Optional[Dict[str, Any]]:
    """An architecture dict as a model card carries it; None for a name, or where it cannot."""
    if isinstance(arch, str):
        return None
    try:
        plain = json.loads(json.dumps(arch))
    except (TypeError, ValueError):
        return None
    return plain if is_architecture(plain) else None


def view(visual: nn.Module, arch: Union[str, Dict]) -> Tower:
    """How to read a vision tower of open_clip.

    Raises:
        ValueError: If the branch cannot stand beside it.
    """
    for kind, tower in TOWERS.items():
        if type(visual) is kind:
            try:
                return tower(visual)
            except ValueError as error:
                raise ValueError(f'arch {arch!r}: {error}') from None
    raise ValueError(f'arch {arch!r}: the vision tower is a {type(visual).__name__}; take a ViT '
                     'architecture of open_clip, or EVA01-g-14')
