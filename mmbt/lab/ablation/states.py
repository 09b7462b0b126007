"""Rows read what the frozen CLIP of a seed makes of its clips, computed once for all of them."""
import hashlib
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmbt.datasets.states.checking import is_whole
from mmbt.datasets.transforms.draws import plain
from mmbt.engine.caching import CacheOptions, cache_states

from .configs import load_prepared
from .worlds import World


def make_states(world: World, data: Path) -> None:
    """Keep all layers of a seed's CLIP, of every draw of the training's clips, unless they are.

    Args:
        world: The world; without a ``FixedDraws`` in its training nothing is kept.
        data: The seed's folder.
    """
    config = load_prepared(world.train, world, data)
    part = fixed_draws(config)
    if part is None or is_whole(states_folder(part, data)):
        return
    depth = config.model.trunk.arch.vision_cfg.layers
    cache_states(config, CacheOptions(folder=str(states_folder(part, data)),
                                      layers=tuple(range(depth + 1))))


def use_states(config: Config, data: Path) -> None:
    """Let a training read the kept states, where they are and its CLIP is frozen.

    What is trained is the same, bit for bit, as from frames.

    Args:
        config: A row's training, changed in place.
        data: The seed's folder.
    """
    part = fixed_draws(config)
    if part is None or not config.model.trunk.get('frozen', True):
        return
    folder = states_folder(part, data)
    if is_whole(folder):
        part['states'] = str(folder)


def fixed_draws(config: Config) -> dict[str, Any] | None:
    """The ``FixedDraws`` of a training's pipeline, or None."""
    pipeline = config.train_dataloader.dataset.get('pipeline', ())
    return next((step for step in pipeline if step.get('type') == 'FixedDraws'), None)


def states_folder(part: dict[str, Any], data: Path) -> Path:
    """The folder of a seed's states, which another sampling has elsewhere."""
    told = {key: value for key, value in plain(part).items() if key != 'states'}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return data / f'states_{digest[:10]}'
