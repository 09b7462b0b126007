"""Build a model from a config file."""
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import _load_checkpoint, _load_checkpoint_to_model

from mmbt.files.safe_load import first_line
from mmbt.files.source import CARD

from . import VideoTextModel
from .checkpoints.card_files import check_card
from .checkpoints.checkpoint import holds_trunk, must_exist, without_weights


def init_model(config: str | Path | Config,
               checkpoint: str | None = None,
               device: str | torch.device = 'cpu') -> VideoTextModel:
    """Build the model of a config in eval mode.

    Args:
        config: Config file, or a loaded config; it is not changed.
        checkpoint: Weights. Where they include CLIP's, the config's ``pretrained`` is not fetched.
        device: Where the model goes.

    Returns:
        A model with ``encode_video(imgs)``, (B, T, 3, H, W) normalised floats -> (B, E),
        ``encode_text(tokens)``, (B, L) -> (B, E), and ``encode(imgs)`` -> ``VideoEncoding``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the checkpoint is of another architecture, was made with other frames or
            texts (the model card), or holds code.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'config {config} is missing')
        config = Config.fromfile(config)
    init_default_scope(config.get('default_scope', 'mmaction'))
    model_config = config.model.to_dict()
    weights = None
    if checkpoint is not None:
        must_exist(checkpoint)
        weights = _load_checkpoint(str(checkpoint), map_location='cpu')
        if holds_trunk(weights):
            model_config['trunk'] = without_weights(model_config['trunk'])
    model = MODELS.build(model_config)
    if weights is not None:
        try:
            _load_checkpoint_to_model(model, weights)
        except (ValueError, RuntimeError) as error:
            if str(checkpoint) in str(error):
                raise
            raise ValueError(f'{checkpoint}: {first_line(error)}') from error
    if CARD in config:
        check_card(model, config[CARD].to_dict(), f'the {CARD} of the config',
                   same_clip=weights is not None)
    return model.to(device).eval()
