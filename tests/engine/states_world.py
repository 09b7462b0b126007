"""A small training on frozen states, for tests."""
import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmbt.datasets import CaptionedVideos
from mmbt.datasets.sample_index import SampleIndex
from mmbt.engine.caching import CacheOptions, cache_states
from mmbt.models.init_model import init_model

CLIPS, FRAMES, DRAWS, EPOCHS = 7, 3, 2, 2
ARCH = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=4, head_width=8),
    text_cfg=dict(context_length=8, vocab_size=49408, width=16, heads=2, layers=1))
HEADS = [dict(type='VTCHead', temperature=0.1), dict(type='MBTAHead'),
         dict(type='MBCAHead', temperature=0.1)]


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """Folders of frames with captions, and a CLIP's weights."""
    folder = tmp_path_factory.mktemp('world')
    noise = np.random.default_rng(0)
    captions = {}
    for clip in range(CLIPS):
        name = f'clip{clip}'
        (folder / 'videos' / name).mkdir(parents=True)
        for frame in range(9):
            cv2.imwrite(str(folder / f'videos/{name}/{frame:02}.png'),
                        noise.integers(0, 256, (14, 16, 3), np.uint8))
        captions[name] = [f'a thing {word}' for word in ('moves', 'stops', 'turns')[:1 + clip % 3]]
    (folder / 'train.json').write_text(json.dumps(captions))
    torch.manual_seed(0)
    model = init_model(config_of(folder, None))
    torch.save(dict(state_dict=model.state_dict()), folder / 'clip.pth')
    return folder


def config_of(world, states, draws=DRAWS, test=False, mask=0.5, **change):
    """A training of a few steps with everything random that a training has."""
    reading = [
        dict(type='ReadFrames', num_frames=FRAMES, test_mode=test),
        *([] if test else [dict(type='RandomResizedCrop', area_range=(0.5, 1.0))]),
        dict(type='Resize', scale=(12, 12), keep_ratio=False),
        dict(type='FormatShape', input_format='NCHW')]
    pipeline = [
        dict(type='FixedDraws', draws=draws, seed=3, transforms=reading,
             states=None if states is None else str(states)),
        dict(type='TokenizeText', context_length=8, caption='all' if test else 'random'),
        dict(type='PackVideoText')]
    dataset = dict(type='CaptionedVideos', ann_file=str(world / 'train.json'), form='dict',
                   data_prefix=dict(video=str(world / 'videos')), pipeline=pipeline,
                   test_mode=test)
    loader = dict(batch_size=3, num_workers=0, dataset=dataset)
    sampler = dict(type='ResumableSampler', shuffle=True)
    told = dict(
        default_scope='mmaction',
        model=dict(
            type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=ARCH),
            backbone=dict(type='BTAdapter', num_layers=3, num_frames=FRAMES, drop_path=0.2),
            mask=None if mask is None else dict(type='TubeMask', ratio=mask), heads=HEADS),
        train_dataloader=dict(loader, sampler=sampler), test_dataloader=loader,
        load_from=str(world / 'clip.pth') if (world / 'clip.pth').exists() else None,
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-2), clip_grad=dict(max_norm=1)),
        param_scheduler=dict(type='WarmUpCosineLR', warmup=0.3, by_epoch=False),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=100),
                           model_card=dict(type='ModelCardHook')),
        randomness=dict(seed=3), log_level='ERROR')
    return Config({**told, **change})


@pytest.fixture(scope='module')
def kept(world):
    """The training's states, of the layers that its branch reads, in float32."""
    folder = world / 'states'
    found = cache_states(config_of(world, folder), CacheOptions())
    assert found['records'] == CLIPS * DRAWS and found['exact']
    return folder


def copied(folder, to):
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def batch_of(config, indices=range(CLIPS)):
    dataset = CaptionedVideos(**{key: value for key, value in
                                 config.train_dataloader.dataset.to_dict().items()
                                 if key != 'type'})
    return pseudo_collate([dataset[SampleIndex(index, 5 + index, 1)] for index in indices])


def losses_of(config, indices=range(CLIPS)):
    """The losses, and gradients, of one batch, with the mask of a fixed seed."""
    model = init_model(config, config.load_from).train()
    data = model.data_preprocessor(batch_of(config, indices))
    torch.manual_seed(9)
    losses = model.loss(data['inputs'])
    sum(losses.values()).backward()
    return losses, {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
