"""What is written: weights, and beside them the config that they fit."""
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from mmbt.files.atomic import whole_file
from mmbt.files.safe_load import in_line

from ..card_files import model_card
from .architecture import OPENAI, Arch
from .config_text import config_text

RETRIEVAL = 'released/zeroshot_msrvtt_released.py'
RUNTIME = '_base_/default_runtime.py'
VTC = dict(type='VTCHead', temperature=0.01, loss_weight=1.0)
MBTA = dict(type='MBTAHead', variant='released', loss_weight=0.1)
MBCA = dict(type='MBCAHead', temperature=0.01, loss_weight=0.1)


def retrieval_config(configs: Path, arch: Arch, branch: dict[str, Any], mbta: bool) -> Config:
    """Zero-shot retrieval with weights that hold all of CLIP.

    Args:
        configs: The folder of this project's configs.
        arch: The architecture.
        branch: Settings of the branch.
        mbta: Whether the weights hold MBTA's projection.
    """
    cfg = Config.fromfile(configs / RETRIEVAL)
    cfg.model.trunk = dict(type='OpenCLIPTrunk', arch=arch, pretrained=None)
    cfg.model.backbone = _branch_config(branch)
    if 'heads' in cfg.model:
        cfg.model.heads = [VTC, MBTA, MBCA] if mbta else [VTC, MBCA]
    return cfg


def tokens_config(configs: Path, arch: Arch | None, branch: dict[str, Any]) -> Config:
    """A branch beside CLIP without its last layer, for the tokens of conversation models.

    Args:
        configs: The folder of this project's configs.
        arch: The architecture, None for OpenAI's ViT-L/14 with its weights.
        branch: Settings of the branch.
    """
    cfg = Config.fromfile(configs / RUNTIME)
    cfg.model = dict(
        type='VideoTextModel',
        data_preprocessor=dict(type='VideoTextDataPreprocessor'),
        trunk=dict(type='OpenCLIPTrunk', arch=arch or OPENAI,
                   pretrained=None if arch else 'openai', drop_last=1),
        backbone=_branch_config(branch))
    return cfg


def _branch_config(branch: dict[str, Any]) -> dict[str, Any]:
    """The config of a released branch."""
    return dict(type='BTAdapter', variant='released', **branch)


def build_without_weights(cfg: Config) -> nn.Module:
    """The model of a config on torch's meta device, where weights have shapes alone."""
    model = cfg.model.to_dict()
    model['trunk']['pretrained'] = None
    with torch.device('meta'):
        return MODELS.build(model)


def card_of(model: nn.Module, state: dict[str, Tensor], trunk: bool) -> dict[str, Any]:
    """The model card of converted weights.

    Args:
        model: Their model on the meta device, where it takes them.
        state: The weights.
        trunk: Whether they include CLIP's, which the card then marks.
    """
    if trunk:
        model.load_state_dict(state, strict=False, assign=True)
    return model_card(model).to_dict()


def fit_pipeline(cfg: Config, image_size: tuple[int, int], context_length: int) -> None:
    """Bring the frames and captions of a test to the sizes that the towers take.

    The parts that the config names follow, for variants of it.

    Args:
        cfg: The config, changed in place.
        image_size: Height and width.
        context_length: Tokens that the text tower takes; captions may be shorter.
    """
    height, width = image_size
    pipeline = cfg.test_dataloader.dataset.pipeline
    parts = [value for value in cfg.values() if value in pipeline]
    for step in [*pipeline, *parts]:
        if step.type == 'Resize':
            step.scale = (-1, max(image_size))
        elif step.type == 'CenterCrop':
            step.crop_size = height if height == width else (width, height)
        elif step.type == 'TokenizeText':
            step.context_length = min(step.context_length, context_length)
    cfg.test_pipeline = pipeline


def check_fit(model: nn.Module, state: dict[str, Tensor], sources: dict[str, str],
              arch: str, trunk: bool) -> None:
    """Refuse weights that a model does not take.

    Args:
        model: The model, perhaps on the meta device.
        state: The weights.
        sources: What each of them is made from, in words.
        arch: The architecture, in words.
        trunk: Whether the weights include CLIP's.

    Raises:
        ValueError: Naming the first weight of another shape, or that one of the two lacks.
    """
    own = model.state_dict()
    for name, value in state.items():
        source = sources.get(name, name)
        if name not in own:
            raise ValueError(f'{source}: {arch} has no such weight')
        if own[name].shape != value.shape:
            raise ValueError(f'{source}: {tuple(value.shape)} in the file, '
                             f'{tuple(own[name].shape)} in {arch}')
    for name in own:
        if name not in state and (trunk or not name.startswith('backbone.trunk.')):
            raise ValueError(f'{arch} has a weight that the file lacks: {name}')


def script(cfg: Config, head: list[str]) -> str:
    """A config as text, after a head of comments; names in it cannot leave their line.

    Raises:
        ValueError: If the config holds what cannot be written as what it is.
    """
    lines = [in_line(line, len(line)).replace('{{', '{ {') for line in head]
    return ''.join(f'# {line}'.rstrip() + '\n' for line in lines) + config_text(cfg.to_dict())


def write(checkpoint: dict[str, Any], out: Path, config: str | None) -> None:
    """Write the checkpoint, and the config beside it; each is whole or not there.

    Args:
        checkpoint: What the file holds.
        out: The file.
        config: The config's text, None for none.
    """
    with whole_file(out) as weights:
        torch.save(checkpoint, weights)
        if config is not None:
            with whole_file(config_path(out)) as text:
                text.write_text(config, encoding='utf-8')


def config_path(out: str | Path) -> Path:
    """Where the config of a checkpoint lies."""
    return Path(out).with_suffix('.py')
