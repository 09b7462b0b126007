"""How the frames of an image-text model were made, as its weights' publisher says."""
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import open_clip

from ..card import CHECKS, Triple, differ, show
from .hugging_face_files import locate

CONFIG = 'open_clip_config.json'  # beside the weights in open_clip's repositories
HF_CONFIG = 'preprocessor_config.json'


@dataclass(frozen=True)
class Preprocessing:
    """What was done to the frames; None is what nobody says.

    Attributes:
        mean: RGB mean in 0..1. Defaults to that of OpenAI's CLIP.
        std: RGB standard deviation in 0..1. Defaults to that of OpenAI's CLIP.
        resize_mode: ``'shortest'``, ``'squash'`` or ``'longest'``, as open_clip has it.
        interpolation: Such as ``'bicubic'``.
    """

    mean: Triple = open_clip.OPENAI_DATASET_MEAN
    std: Triple = open_clip.OPENAI_DATASET_STD
    resize_mode: str | None = None
    interpolation: str | None = None


NAMES = tuple(each.name for each in fields(Preprocessing))


def settled(published: tuple[str, dict[str, Any]] | None,
            said: Mapping[str, Any] | None) -> Preprocessing:
    """What holds, of what the publisher of the weights says and what a config says.

    Args:
        published: By whom and what; None where nobody says anything.
        said: The config's ``preprocess_cfg``, keys as :class:`Preprocessing` has them.

    Raises:
        ValueError: If both say something and it differs, or a value is not allowed.
    """
    source, known = published or ('', {})
    ours = checked('preprocess_cfg', said or {})
    unknown = sorted(set(said or {}) - set(NAMES))
    if unknown:
        raise ValueError(f'preprocess_cfg has no {unknown[0]!r}; it takes {", ".join(NAMES)}')
    for name, value in ours.items():
        if differ(value, known.get(name)):
            raise ValueError(f'preprocess_cfg says {name}={show(value)}, and {source} '
                             f'{show(known[name])}: leave it out')
    return Preprocessing(**{**known, **ours})


def checked(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a dict that are a :class:`Preprocessing`'s; others are passed over.

    Raises:
        ValueError: If one is not allowed.
    """
    found = {}
    for name in NAMES:
        value = values.get(name)
        if value is None:
            continue
        value = tuple(value) if isinstance(value, list) else value
        if not CHECKS[name](value):
            raise ValueError(f'{source}: {name} is {ascii(value)[:60]}, which is none')
        found[name] = tuple(map(float, value)) if isinstance(value, tuple) else value
    return found


def of_tag(arch: Any, pretrained: str) -> tuple[str, dict[str, Any]] | None:
    """What open_clip says of a tag, None where it is none."""
    tag = open_clip.get_pretrained_cfg(arch, pretrained) if isinstance(arch, str) else None
    return (f'the tag {pretrained!r} of {arch}', checked(pretrained, tag)) if tag else None


def beside(path: str | Path) -> tuple[str, dict[str, Any]] | None:
    """What open_clip's config beside a file of weights says, None where there is none.

    Raises:
        ValueError: If it is no JSON, or a value is not allowed.
    """
    config = Path(path).parent / CONFIG
    if not config.is_file():
        return None
    values = json_dict(config).get('preprocess_cfg')
    return (str(config), checked(str(config), values)) if isinstance(values, dict) else None


def of_folder(name: str) -> tuple[str, dict[str, Any]] | None:
    """What ``preprocessor_config.json`` of a Hugging Face folder, or of a model on the hub, says.

    Of the resizing nothing is taken: the dialogue models crop as the paper does (Table 8).

    Raises:
        ValueError: If it is no JSON, or a value is not allowed.
    """
    path = locate(name, HF_CONFIG)
    if path is None:
        return None
    values = json_dict(path)
    source = f'{name}/{HF_CONFIG}'
    return source, checked(source, dict(mean=values.get('image_mean'), std=values.get('image_std')))


def json_dict(path: str | Path) -> dict[str, Any]:
    """A small JSON file that holds a dict.

    Raises:
        ValueError: If it is none.
    """
    try:
        with open(path, encoding='utf-8') as file:
            values = json.loads(file.read(1_000_000))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is no JSON ({error})') from error
    if not isinstance(values, dict):
        raise ValueError(f'{path} is no dict')
    return values
