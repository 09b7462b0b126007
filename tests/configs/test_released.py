"""The configs of the released code's settings: what differs, rates and schedule."""
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from ..support.tiny import TINY
from .layouts import RELEASED_SIZES, load


@pytest.mark.parametrize('name', RELEASED_SIZES)
def test_a_released_test_changes_variant_and_sizes_alone(name):
    """And the batch where there are more frames."""
    ours, released = load(name).to_dict(), load(f'released/{name}_released').to_dict()
    assert released['model']['backbone'].pop('variant') == 'released'
    for config in (ours, released):
        config['model'].get('cls_head', {}).pop('context_length', None)
        loader = config['test_dataloader']
        loader.pop('batch_size')
        parts = [config.get(name, {}) for name in ('read_frames', 'resize', 'tokenize')]
        for step in parts + config['test_pipeline'] + loader['dataset']['pipeline']:
            for key in ('num_frames', 'scale', 'context_length'):
                step.pop(key, None)
    assert ours == released


def test_pretraining_as_released():
    """The released recipe; rates and schedule have tests of their own."""
    config = load('pretrain_webvid_released')
    assert (config.model.backbone.variant, config.model.backbone.drop_path) == ('released', 0.1)
    assert [tuple(head.get(key) for key in ('type', 'variant', 'loss_weight', 'temperature'))
            for head in config.model.heads] == [('VTCHead', None, 1, 0.01),
                                                ('MBTAHead', 'released', 0.1, None),
                                                ('MBCAHead', None, 0.1, 0.01)]
    assert config.model.mask.ratio == 0.7
    loader = config.train_dataloader
    assert [step.type for step in loader.dataset.pipeline] == [
        'ReadFrames', 'Resize', 'RandomResizedCrop', 'Resize', 'TokenizeText', 'FormatShape',
        'PackVideoText']
    assert loader.dataset.pipeline[3].scale == (224, 224)
    assert (loader.batch_size, loader.num_workers) == (52, 16)
    assert config.auto_scale_lr.base_batch_size == 52 * 8
    assert config.train_cfg.max_epochs == 1
    assert config.optim_wrapper.type == 'AmpOptimWrapper'
    assert config.optim_wrapper.clip_grad == dict(max_norm=5)


# Part of the model -> rate, weight decay, epsilon. The rates of the released code are 2e-5, for
# temporal layers and gates 2e-4; the gates' entries are 1e2 and 1e4 times released parameters.
PARTS = {
    'backbone.branch.cls_shift': (2e-5, 0.05, 1e-8),
    'backbone.branch.time_embedding': (2e-5, 0.05, 1e-8),
    'backbone.branch.spatial': (2e-5, 0.05, 1e-8),
    'heads.1.proj': (2e-5, 0.05, 1e-8),
    'backbone.branch.temporal': (2e-4, 0.05, 1e-8),
    'backbone.branch.gates': (2e-2, 5e-4, 1e-10),
    'backbone.branch.output_gate': (2.0, 5e-6, 1e-12),
}


@pytest.fixture
def released_groups():
    """Each weight's group in the released recipe's optimizer, by name, and a tiny model."""
    config = load('pretrain_webvid_released')
    config.model.trunk = dict(type='OpenCLIPTrunk', arch=TINY)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(config.model)
        wrapper = build_optim_wrapper(model, config.optim_wrapper)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = wrapper.optimizer.param_groups
    assert all(len(group['params']) == 1 for group in groups)
    return {names[id(group['params'][0])]: group for group in groups}, model


def test_released_rates_by_name(released_groups):
    groups, model = released_groups
    assert set(groups) == {name for name, p in model.named_parameters() if p.requires_grad}
    met = set()
    for name, group in groups.items():
        part, = (part for part in PARTS if f'{name}.'.startswith(f'{part}.'))
        met.add(part)
        assert (group['lr'], group['weight_decay'], group['eps']) == pytest.approx(PARTS[part])
        assert tuple(group['betas']) == (0.9, 0.98)
    assert met == set(PARTS)


@pytest.mark.parametrize('gate, factor', [('gates.0', 1e2), ('output_gate', 1e4)])
def test_a_gate_moves_as_a_released_one(gate, factor, released_groups):
    """W_b = -factor * b; b at the released 2e-4, W_b at our rate, for the same loss of W_b."""
    groups, _ = released_groups
    group = groups[f'backbone.branch.{gate}.weight']
    start = torch.tensor([0., 0.5, -2., 30.], dtype=torch.double)
    ours = torch.nn.Parameter(start.clone())
    theirs = torch.nn.Parameter(-start / factor)
    pairs = [
        (torch.optim.AdamW([ours], **{key: group[key]
                                      for key in ('lr', 'weight_decay', 'eps', 'betas')}),
         lambda: ours),
        (torch.optim.AdamW([theirs], lr=2e-4, weight_decay=0.05, eps=1e-8, betas=(0.9, 0.98)),
         lambda: -factor * theirs),
    ]
    slope = torch.tensor([1., -1e-3, 1e-9, 1e-12], dtype=torch.double)  # to below epsilon
    for count in range(3):
        for optimizer, weight in pairs:
            optimizer.zero_grad()
            (weight() * slope + count * (weight() * slope)**2).sum().backward()
            optimizer.step()
        torch.testing.assert_close(-factor * theirs, ours, rtol=1e-9, atol=1e-12)
    assert (ours - start).abs().min() > 1e-4
