"""A model, data and a metric small enough to train a whole run in a second.

Tests that need a real run write :data:`CONFIG` to a file and import this module through it, as a
user's config imports a user's code.
"""
import numpy as np
import torch
from mmaction.registry import DATASETS, METRICS, MODELS
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch.utils.data import Dataset

NUM_SAMPLES = 8

CONFIG = """
custom_imports = dict(imports=['mmbt', 'toys'], allow_failed_imports=False)
default_scope = 'mmaction'
env_cfg = dict(dist_cfg=dict(backend='nccl'))
model = dict(type='ToyModel')
dataset = dict(type='ToyDataset')
train_dataloader = dict(
    batch_size=2, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=True))
test_dataloader = dict(
    batch_size=2, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=False))
val_dataloader = test_dataloader
test_evaluator = dict(type='ToyMetric', prefix='toy')
val_evaluator = test_evaluator
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=4),
    dict(type='OneCycleLR', eta_max=0.1, total_steps=400, by_epoch=False)]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1, save_best='toy/error', rule='less'))
custom_hooks = [dict(type='EMAHook', ema_type='ExponentialMovingAverage')]
randomness = dict(seed=0)
"""


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Numbers, and the same numbers scaled down."""

    def __init__(self, path=None):
        if path is not None:
            raise ValueError(f'{path}: line 3 has no caption')
        self.metainfo = dict(classes=('low', 'high'), mean=np.float64(0.5), palette=np.arange(3))

    def __len__(self):
        return NUM_SAMPLES

    def __getitem__(self, index):
        return dict(inputs=torch.full((4,), float(index)), target=torch.tensor([index / 8]))


@MODELS.register_module()
class ToyModel(BaseModel):
    """One linear layer."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 1)

    def forward(self, inputs, target, mode='tensor'):
        """Return the loss, one prediction a sample, or the raw outputs."""
        outputs, target = self.fc(torch.stack(inputs)), torch.stack(target)
        if mode == 'loss':
            return dict(loss=(outputs - target).square().mean())
        if mode == 'predict':
            return [dict(error=error) for error in (outputs - target).abs()]
        return outputs


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Mean distance, as the numpy number that metrics often are."""

    def process(self, data_batch, data_samples):
        """Keep the distances of a batch."""
        self.results += [sample['error'].item() for sample in data_samples]

    def compute_metrics(self, results):
        """Average them."""
        return dict(error=np.float64(np.mean(results)))
