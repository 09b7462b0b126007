"""From weights and their card to a model that takes files and texts."""
import ast
import os
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import _load_checkpoint, _load_checkpoint_to_model

from mmbt.files.safe_load import first_line
from mmbt.files.source import CARD
from mmbt.files.text import read_text
from mmbt.models.card import ModelCard
from mmbt.models.checkpoints.checkpoint import CONVERSATION
from mmbt.models.checkpoints.rebuild import model_config
from mmbt.models.trunk import TRUNK

from .loaded import LoadedModel, pipeline_of, to_place
from .video_search import VideoSearch

# What open_clip, timm and torch raise for settings that make no model.
UNBUILDABLE = (ValueError, TypeError, RuntimeError, LookupError, AttributeError, AssertionError,
               ArithmeticError)
MOST_BYTES = 2**20  # of a config beside weights


def load_file(path: str, device: str | torch.device, dtype: str | torch.dtype | None,
              clip: str | None, frames: int | None) -> LoadedModel:
    """A checkpoint or branch file by its model card, else by the config that lies beside it.

    Raises:
        FileNotFoundError: If CLIP's weights are to be fetched and cannot be.
        ValueError: If the file holds no weights of a model, or neither card nor config tells what
            they are of.
    """
    checkpoint = _load_checkpoint(path, map_location='cpu', logger='silent')
    told = (checkpoint.get('meta') or {}).get(CARD)
    config = Path(path).with_suffix('.py')
    if told is not None:
        card = ModelCard.from_dict(told, path)
        try:
            return assemble(checkpoint, card, path, device, dtype, clip, frames)
        except NoArchitecture as error:
            if not config.is_file():
                raise ValueError(str(error)) from None
    elif not config.is_file():
        raise ValueError(f'{path} has no model card, so that it cannot be told what its weights '
                         f'are of: name its config, mmbt.load(config, weights={path!r})')
    return load_config(literal_config(config), path, device, dtype, str(path))


class NoArchitecture(ValueError):
    """A card does not tell the architecture of its CLIP."""


def load_config(config: str | Config, weights: str | None, device: str | torch.device,
                dtype: str | torch.dtype | None, name: str) -> LoadedModel:
    """A zero-shot config, as :meth:`VideoSearch.from_config` takes it."""
    search = VideoSearch.from_config(config, weights, 'cpu')
    model = to_place(search.encoder.model, device, dtype)
    return LoadedModel(model, search.encoder.pipeline, search.encoder.context_length,
                       search.temperature, name)


def assemble(checkpoint: dict[str, Any], card: ModelCard, source: str,
             device: str | torch.device = 'cpu', dtype: str | torch.dtype | None = None,
             clip: str | None = None, frames: int | None = None) -> LoadedModel:
    """Build what a card says, and give it its weights.

    Args:
        checkpoint: ``meta`` and ``state_dict``, with their source noted.
        card: Their card.
        source: Where they are from, for errors.
        device: Where the model goes.
        dtype: What its weights are cast to.
        clip: As :func:`model_config` takes it.
        frames: As :func:`pipeline_of` takes it.

    Raises:
        ValueError: If card and weights do not fit each other, or tell too little.
        FileNotFoundError: If CLIP's weights are to be fetched and cannot be.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if any(name.startswith(CONVERSATION) for name in state):
        raise ValueError(f'{source} is of a dialogue model, which does not compare video and text: '
                         'it is for mmbt.apis.init_dialogue')
    if card.architecture is None and card.arch in (None, 'custom'):
        raise NoArchitecture(f'{source}: its model card has no architecture, as those of before '
                             "0.6 have none for CLIPs without a name: name its config, "
                             f'mmbt.load(config, weights={source!r})')
    config = model_config(card, state, source, clip)
    pipeline = pipeline_of(card, source, frames)
    with DefaultScope.overwrite_default_scope('mmaction'):
        try:
            with torch.device('meta'):  # what makes no model is known before its size is paid for
                check_shapes(MODELS.build(weightless(config)), state, source)
            model = MODELS.build(config)
        except FileNotFoundError:
            raise
        except UNBUILDABLE as error:
            raise naming(error, source) from error
    try:
        _load_checkpoint_to_model(model, checkpoint)
    except (ValueError, RuntimeError) as error:
        raise naming(error, source) from error
    return LoadedModel(to_place(model, device, dtype).eval(), pipeline, None, card.temperature,
                       source)


def weightless(config: dict[str, Any]) -> dict[str, Any]:
    """The config with a trunk that reads no weights."""
    trunk = dict(config['trunk'])
    if trunk.get('pretrained') is not None:
        trunk['read_weights'] = False
    return dict(config, trunk=trunk)


def check_shapes(model: torch.nn.Module, state: dict[str, Any], source: str) -> None:
    """Refuse weights of a model of other sizes, before it is built at its own.

    Raises:
        ValueError: Naming the first.
    """
    for name, value in model.state_dict().items():
        if name in state and state[name].shape != value.shape:
            raise ValueError(f'{source}: its model card and its weights are of two models: {name} '
                             f'is {tuple(state[name].shape)}, by the card {tuple(value.shape)}')
        if name not in state and name.startswith(TRUNK) and any(
                other.startswith(TRUNK) for other in state):
            raise ValueError(f'{source} lacks {name}, which its model card asks for')


def naming(error: Exception, source: str) -> ValueError:
    """An error in one line that names the file."""
    line = first_line(error)
    return ValueError(line if source in line else f'{source}: {line}')


def literal_config(path: str | os.PathLike) -> Config:
    """A config of literals alone, as the converter writes it; nothing of it is run.

    Raises:
        ValueError: If it holds anything else.
    """
    text = read_text(path, 'config', most=MOST_BYTES)
    try:
        values = {}
        for line in ast.parse(text).body:
            if not (isinstance(line, ast.Assign) and len(line.targets) == 1
                    and isinstance(line.targets[0], ast.Name)):
                raise ValueError(f'line {line.lineno} is no assignment of a value to a name')
            values[line.targets[0].id] = literal(line.value)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f'{path} lies beside weights without a model card, and is run only where '
                         f'it is named itself, mmbt.load({str(path)!r}, weights=...) '
                         f'({first_line(error)})') from None
    return Config(values)


def literal(node: ast.expr) -> Any:
    """The value of a literal, in which ``dict(a=1)`` is one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' \
            and not node.args and all(each.arg for each in node.keywords):
        return {str(each.arg): literal(each.value) for each in node.keywords}
    if isinstance(node, ast.List | ast.Tuple):
        values = [literal(each) for each in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        return {ast.literal_eval(key): literal(value)  # type: ignore[arg-type]
                for key, value in zip(node.keys, node.values)}
    return ast.literal_eval(node)
