"""What a search takes of a zero-shot config."""
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .stamps import PathLike


def read_config(config: PathLike | Config) -> tuple[Config, Sequence[dict], dict[str, Any]]:
    """Read a zero-shot config; its data and class file are not needed.

    Args:
        config: Config file, or a loaded config; it is not changed.

    Returns:
        The config without its ``cls_head``, the pipeline of its test, and how text is read:
        ``context_length`` and ``arch`` as ``TokenizeText`` has them, else ``cls_head``, and
        ``temperature`` where ``cls_head`` has one.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no zero-shot test.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'config {config} is missing')
        config = Config.fromfile(config)
    config = copy.deepcopy(config)
    dataset = config.get('test_dataloader', {}).get('dataset', {})
    if 'model' not in config or 'pipeline' not in dataset:
        raise ValueError('the config has no model, or no test_dataloader whose pipeline reads '
                         'a video; take one of configs/zeroshot_*')
    head = config.model.pop('cls_head', None)
    text = next((step for step in dataset.pipeline if step['type'] == 'TokenizeText'), head)
    if text is None:
        raise ValueError('the config does not say how text is tokenised: add TokenizeText to '
                         'its test pipeline, or a cls_head to its model')
    settings = {key: text[key] for key in ('context_length', 'arch') if key in text}
    if 'temperature' in (head or {}):
        settings['temperature'] = head['temperature']
    return config, dataset.pipeline, settings
