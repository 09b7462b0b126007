"""Whether an architecture that a file gives is one, and of a size that a machine can hold.

It is checked before a model is built of it: 10**9 layers would hang, a width of 10**9 take
terabytes, and a name may make a library fetch a model of someone else.
"""
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from open_clip.model import CLIPTextCfg, CLIPVisionCfg


class Limit(NamedTuple):
    """The least and the most that a number may be, and whether it is whole."""

    least: float
    most: float
    whole: bool = True

    def holds(self, value: Any) -> bool:
        """Whether a value is such a number."""
        kinds = (int,) if self.whole else (int, float)
        return type(value) in kinds and self.least <= value <= self.most


WIDTH = Limit(1, 16_384)
NUMBERS = dict(
    embed_dim=WIDTH, width=WIDTH, head_width=WIDTH, heads=Limit(1, 1_024), layers=Limit(1, 256),
    mlp_ratio=Limit(0.01, 64, whole=False), patch_size=Limit(1, 1_024), image_size=Limit(1, 4_096),
    context_length=Limit(1, 16_384), vocab_size=Limit(1, 4_000_000),
    attn_pooler_queries=Limit(1, 4_096), attn_pooler_heads=Limit(1, 1_024))
ANY_NUMBER = Limit(-1e6, 1e6, whole=False)
TOP = ('quick_gelu', 'custom_text', 'init_logit_scale', 'init_logit_bias', 'nonscalar_logit_scale')
PARTS: dict[str, frozenset] = {
    'vision_cfg': frozenset(field.name for field in fields(CLIPVisionCfg)),
    'text_cfg': frozenset(field.name for field in fields(CLIPTextCfg))}
WORD = re.compile(r'[A-Za-z0-9_.+-]{0,64}')
MOST_WEIGHTS, MOST_PATCHES = 20e9, 65_536


def check_arch(arch: Any) -> None:
    """Refuse what is no architecture of open_clip's, or larger than any.

    Args:
        arch: A dict, as JSON has it.

    Raises:
        ValueError: Naming the setting.
    """
    if not (isinstance(arch, dict) and 'embed_dim' in arch
            and all(isinstance(arch.get(part), dict) for part in PARTS)):
        raise ValueError('it is no architecture of open_clip: a dict with embed_dim, vision_cfg '
                         'and text_cfg')
    check_settings('', {key: value for key, value in arch.items() if key not in PARTS},
                   frozenset(('embed_dim', *TOP)))
    for part, known in PARTS.items():
        check_settings(f'{part}.', arch[part], known)
    if arch['text_cfg'].get('hf_model_name') is not None:
        raise ValueError('no model can be built of text_cfg.hf_model_name: the text tower must be '
                         "open_clip's own")
    check_size(arch)


def check_settings(prefix: str, settings: Mapping, known: frozenset) -> None:
    """Refuse an unknown setting, or a value that is neither a plain one nor within its limits."""
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f'no model can be built of {prefix}{key[:40]!r}, which open_clip does '
                             'not know')
        limit = NUMBERS.get(key)
        if limit is None:
            good = is_plain(value)
        else:
            several = value if isinstance(value, list) and 0 < len(value) <= 4 else [value]
            good = all(map(limit.holds, several))
        if not good:
            hint = '' if limit is None else f'; it lies in {limit.least}..{limit.most}'
            raise ValueError(f'no model can be built of {prefix}{key}={str(value)[:40]!r}{hint}')


def is_plain(value: Any, nested: bool = True) -> bool:
    """Whether a value is nothing, a number of sane size, one word, or a few of these by name."""
    if value is None or isinstance(value, bool) or ANY_NUMBER.holds(value):
        return True
    if isinstance(value, str):
        return WORD.fullmatch(value) is not None or (
            nested and re.fullmatch(r'[\w.-]{1,40}/[\w.-]{1,60}', value) is not None)
    return nested and isinstance(value, dict) and len(value) <= 8 and all(
        key.isidentifier() and is_plain(each, nested=False) for key, each in value.items())


def check_size(arch: Mapping) -> None:
    """Refuse more weights than any model of the kind has, by a count of the large ones."""
    vision, text = arch['vision_cfg'], arch['text_cfg']
    side = _largest(vision, 'image_size', 224) / _largest(vision, 'patch_size', 16)
    if side * side > MOST_PATCHES:
        raise ValueError(f'no model can be built of a picture of {side * side:.0f} patches')
    weights = sum(_largest(part, 'layers', 12) * _largest(part, 'width', 768)**2
                  * (4 + 2 * _largest(part, 'mlp_ratio', 4.)) for part in (vision, text))
    weights += _largest(text, 'vocab_size', 49_408) * _largest(text, 'width', 512)
    weights += _largest(text, 'context_length', 77)**2
    if weights > MOST_WEIGHTS:
        raise ValueError(f'no model can be built of {weights:.3g} weights')


def _largest(part: Mapping, key: str, default: float) -> float:
    value = part.get(key, default)
    return math.fsum(value) if isinstance(value, list) else value
