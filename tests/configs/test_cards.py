"""Every config's pipelines make the frames and texts that its CLIP was trained with."""
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmbt.datasets import fit_pipeline

from .layouts import ROOT, RUNNABLE, read_config

CLIPS = {}


def clip_of(config):
    """The trunk of a config on torch's meta device, each built once."""
    settings = dict(config.model.trunk.to_dict(), read_weights=False)
    if repr(settings) not in CLIPS:
        with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
            CLIPS[repr(settings)] = MODELS.build(settings)
    return CLIPS[repr(settings)]


def pipelines(config):
    """The pipelines of a config's loaders, wherever they lie."""
    if isinstance(config, dict):
        found = [config['pipeline']] if 'pipeline' in config else []
        return found + [each for value in config.values() for each in pipelines(value)]
    return []


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda path: path.stem)
def test_pipelines_fit_the_clip(path):
    config = read_config(path)
    trunk = clip_of(config)
    steps = [each for name in ('train_dataloader', 'test_dataloader', 'val_dataloader')
             for each in pipelines((config.get(name) or Config()).get('dataset', {}))]
    assert steps
    for pipeline in steps:
        with DefaultScope.overwrite_default_scope('mmaction'):
            fit_pipeline(Compose(pipeline).transforms, trunk.card, trunk.text)


def test_openai_s_tag_makes_the_full_size_configs_say_how_pictures_are_resized():
    config = Config.fromfile(ROOT / 'configs/zeroshot_msrvtt.py')
    card = clip_of(config).card
    assert (card.resize_mode, card.image_size) == ('shortest', (224, 224))
