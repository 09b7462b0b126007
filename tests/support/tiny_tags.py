"""A tiny CLIP with names and tags, as open_clip has them for published weights."""
import copy

import open_clip
import torch
from open_clip.model import CustomTextCLIP
from open_clip.pretrained import _PRETRAINED

from mmbt.models.families.open_clip_weights import architecture

from .tiny import TINY, stir

NAME = 'ViT-Tiny'
GELU = dict(copy.deepcopy(TINY), quick_gelu=False)
HALF = (0.5, 0.5, 0.5)
TAGS = dict(
    quick=dict(quick_gelu=True, mean=open_clip.OPENAI_DATASET_MEAN,
               std=open_clip.OPENAI_DATASET_STD, interpolation='bicubic', resize_mode='shortest'),
    plain=dict(mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD,
               interpolation='bicubic', resize_mode='shortest'),
    half=dict(mean=HALF, std=HALF, interpolation='bicubic', resize_mode='shortest'),
    squashed=dict(mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD,
                  interpolation='bicubic', resize_mode='squash'))


def publish(monkeypatch, path):
    """Make the name and its tags known to open_clip; their weights are written to ``path``."""
    torch.manual_seed(0)
    model = CustomTextCLIP(**architecture(GELU))
    stir(model)
    torch.save(model.state_dict(), path)
    for name, quick in ((NAME, False), (f'{NAME}-quickgelu', True)):
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, dict(GELU, quick_gelu=quick))
    monkeypatch.setitem(_PRETRAINED, NAME, TAGS)
    monkeypatch.setattr(open_clip, 'download_pretrained', lambda tag: str(path))
