"""Train one tiny model twice, once in peace and once killed again and again.

Every run is a fork of the test's process. The runs are killed with SIGKILL, workers and all, a
random moment after a random iteration.
"""
import contextlib
import os
import random
import signal
import time

import mmaction.models  # noqa: F401  which each run would import
import numpy as np
import torch
from mmaction.registry import DATASETS, HOOKS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmbt.datasets.broken_videos import BrokenVideoPolicy

from ..support.forked import fork

EPOCHS, SAMPLES, BATCH = 4, 36, 2
ITERATIONS = EPOCHS * SAMPLES // BATCH
ARCH = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=3, head_width=8),
    text_cfg=dict(context_length=8, vocab_size=60, width=16, heads=2, layers=1))


@DATASETS.register_module()
class NoisyClips(BrokenVideoPolicy, BaseDataset):
    """Clips whose augmentation draws from all three sources of random numbers."""

    def load_data_list(self):
        return [dict(number=i) for i in range(SAMPLES)]

    def prepare_data(self, idx):
        number = self.get_data_info(idx)['number']
        noise = random.random() + np.random.rand() + float(torch.rand(()))
        imgs = torch.arange(2 * 3 * 144).view(2, 3, 12, 12) * (number + 1)
        imgs = ((imgs + 50 * noise) % 255).to(torch.uint8)
        tokens = torch.tensor([[58, 1 + number, 1 + int(20 * noise) % 30, 59]])
        sample = ActionDataSample()
        sample.set_metainfo(dict(num_captions=1, video_id=f'clip_{number}'))
        return dict(inputs=dict(imgs=imgs, tokens=tokens), data_samples=sample)


@HOOKS.register_module()
class TellIteration(Hook):
    """Write one byte to a pipe after every iteration."""

    priority = 'VERY_LOW'
    pipe = None

    def after_train_iter(self, runner, **kwargs):
        os.write(self.pipe, b'.')


@HOOKS.register_module()
class RememberClips(Hook):
    """Keep the names of every batch's clips in a list."""

    kept = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.kept.append([sample.video_id for sample in data_batch['data_samples']])


def config(work_dir, resume):
    """Masks, drop path, averaging, a schedule, mixed precision, workers, frequent checkpoints."""
    backbone = dict(type='BTAdapter', num_layers=2, num_frames=2, drop_path=0.5)
    model = dict(
        type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=ARCH), backbone=backbone,
        mask=dict(type='TubeMask', ratio=0.5),
        heads=[dict(type='VTCHead', temperature=0.1), dict(type='MBTAHead'),
               dict(type='MBCAHead', temperature=0.1)])
    return Config(dict(
        default_scope='mmaction', model=model, work_dir=str(work_dir), resume=resume,
        train_dataloader=dict(
            batch_size=BATCH, num_workers=1, persistent_workers=True,
            sampler=dict(type='ResumableSampler', shuffle=True), dataset=dict(type='NoisyClips')),
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=EPOCHS),
        optim_wrapper=dict(type='AmpOptimWrapper', dtype='bfloat16', clip_grad=dict(max_norm=1),
                           optimizer=dict(type='AdamW', lr=1e-2)),
        param_scheduler=dict(type='WarmUpCosineLR', warmup=0.3, by_epoch=False),
        default_hooks=dict(runtime_info=dict(type='LazyRuntimeInfoHook'),
                           logger=dict(type='LoggerHook', interval=1000),
                           checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
                           work_dir_lock=dict(type='WorkDirLockHook'),
                           resume_check=dict(type='ResumeCheckHook')),
        custom_hooks=[
            dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.1),
            dict(type='CheckpointHook', by_epoch=False, interval=3, max_keep_ckpts=2),
            dict(type='TellIteration')],
        randomness=dict(seed=3), log_level='WARNING'))


def start(work_dir, resume):
    """Fork a run in a process group of its own; return its id and the pipe it tells through."""
    reader, writer = os.pipe()

    def train():
        os.close(reader)
        TellIteration.pipe = writer
        torch.set_num_threads(1)
        torch.manual_seed(0)  # the frozen CLIP
        Runner.from_cfg(config(work_dir, resume)).train()
    child = fork(train)
    os.close(writer)
    return child, reader


def finish(work_dir, resume):
    """Run to the end; return how many iterations that took."""
    child, reader = start(work_dir, resume)
    _, status = os.waitpid(child, 0)
    assert status == 0, f'the run in {work_dir} failed'
    return end(child, reader)


def kill(work_dir, after, delay):
    """Kill a run so many iterations and seconds later; return how many iterations it told."""
    child, reader = start(work_dir, resume=True)
    told = 0
    while told < after:
        chunk = os.read(reader, after - told)
        assert chunk, f'the run in {work_dir} ended by itself'
        told += len(chunk)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return told + end(child, reader)


def end(child, reader):
    """Kill a dead run's workers; return how many more iterations it told."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    told = 0
    while chunk := os.read(reader, 4096):
        told += len(chunk)
    os.close(reader)
    return told


def train_in_peace_and_war(folder, kills, seed):
    """Train, and train again with kills; return how many iterations each took."""
    moments = random.Random(seed)
    peace = finish(folder / 'peace', resume=False)
    trained = []
    for number in range(kills):
        after = moments.randrange(4, 9)
        trained.append(kill(folder / 'war', after, moments.random() * 0.05))
        if number == kills // 2:  # a kill may also come while the record is written
            (folder / 'war' / 'last_checkpoint').write_text('')
    trained.append(finish(folder / 'war', resume=True))
    return peace, sum(trained)
