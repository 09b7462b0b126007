"""Every config: it parses, its name is its own, and its data builds on the layout it documents."""
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import open_clip
import pytest
import torch
from mmaction.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope

from mmbt.models.preprocessor import CLIP_MEAN, CLIP_STD

from .models.tiny import TINY

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / 'configs').rglob('*.py'))

LSMDC_CLIP = '1004_Movie_00.00.51.926-00.00.54.129'
HMDB_CLASSES = '\n'.join(f'class {i}' for i in range(51))
# Config -> (folder, files with their text, videos, captions of the first sample or its label).
LAYOUTS = {
    'pretrain_webvid': (
        'webvid', {'results_2M_train.csv': 'videoid,name,page_idx,page_dir,duration,contentUrl\n'
                                           '1,A cat,0,p,10,u\n'},
        ['videos/p/1.mp4'], ['A cat']),
    'zeroshot_msrvtt': (
        'msrvtt', {'test_JSFUSION.json': json.dumps({'video7020.mp4': ['a man']})},
        ['videos/video7020.mp4'], ['a man']),
    'zeroshot_didemo': (
        'didemo', {'didemo_ret_test.json': json.dumps({'12@N05_3.mov': ['a', 'b']})},
        ['videos/12@N05_3.mp4'], ['a b']),
    'zeroshot_lsmdc': (
        'lsmdc', {'LSMDC16_challenge_1000_publictect.csv': f'{LSMDC_CLIP}\t0\t1\t2\t3\tSits.\n'},
        [f'videos/1004_Movie/{LSMDC_CLIP}.mp4'], ['Sits.']),
    'zeroshot_activitynet': (
        'activitynet',
        {'anet_ret_val_1.json': json.dumps([{'video': 'v_1.mp4', 'caption': ['a', 'b', 'c']}])},
        ['videos/v_1.mp4'], ['a b c']),
    'zeroshot_k400': (
        'kinetics400', {'kinetics400_val_list_videos.txt': '1.mp4 399\n',
                        'classes.txt': '\n'.join(f'class {i}' for i in range(400))},
        ['videos_val/1.mp4'], 399),
    'zeroshot_hmdb51': (
        'hmdb51', {'hmdb51_val_split_1_videos.txt': 'run/1.mp4 50\n', 'classes.txt': HMDB_CLASSES},
        ['videos/run/1.mp4'], 50),
    'zeroshot_ucf101': (
        'ucf101', {'ucf101_val_split_1_videos.txt': 'Run/1.mp4 0\n',
                   'classes.txt': '\n'.join(f'class {i}' for i in range(101))},
        ['videos/Run/1.mp4'], 0),
    'zeroshot_msvd': (
        'msvd', {'msvd_ret_test.json': json.dumps({'a_1_5.avi': ['a dog']})},
        ['videos/a_1_5.mp4'], ['a dog']),
    'zeroshot_hmdb51_splits': (
        'hmdb51', {**{f'hmdb51_val_split_{i}_videos.txt': 'run/1.mp4 50\n' for i in (1, 2, 3)},
                   'classes.txt': HMDB_CLASSES}, ['videos/run/1.mp4'], 50),
    'zeroshot_ucf101_splits': (
        'ucf101', {**{f'ucf101_val_split_{i}_videos.txt': 'Run/1.mp4 0\n' for i in (1, 2, 3)},
                   'classes.txt': '\n'.join(f'class {i}' for i in range(101))},
        ['videos/Run/1.mp4'], 0),
}
# Frames, tokens, short side that frames are brought to before the crop. Appendix A:
SIZES = {'pretrain_webvid': (8, 32, None), 'zeroshot_msrvtt': (12, 12, 224),
         'zeroshot_didemo': (64, 64, 224), 'zeroshot_lsmdc': (12, 32, 224),
         'zeroshot_activitynet': (64, 64, 224), 'zeroshot_k400': (16, 12, 224),
         'zeroshot_hmdb51': (16, 12, 224), 'zeroshot_ucf101': (16, 12, 224),
         'zeroshot_hmdb51_splits': (16, 12, 224), 'zeroshot_ucf101_splits': (16, 12, 224),
         'zeroshot_msvd': (12, 32, 224)}  # the last as CLIP4Clip, not in the paper
# The released code's:
RELEASED_SIZES = {'zeroshot_msrvtt': (12, 32, 224), 'zeroshot_didemo': (64, 77, 256),
                  'zeroshot_lsmdc': (64, 77, 256), 'zeroshot_activitynet': (64, 77, 256),
                  'zeroshot_k400': (16, 32, 224), 'zeroshot_hmdb51': (16, 32, 224),
                  'zeroshot_ucf101': (16, 32, 224)}
for name, sizes in RELEASED_SIZES.items():
    LAYOUTS[f'released/{name}_released'] = LAYOUTS[name]
    SIZES[f'released/{name}_released'] = sizes
for name, sizes in (('pretrain_webvid_released', (8, 64, 256)),
                    ('pretrain_webvid_eva_clip_g', (8, 32, None))):
    LAYOUTS[name], SIZES[name] = LAYOUTS['pretrain_webvid'], sizes
ZERO_SHOT = sorted(name for name in LAYOUTS if 'zeroshot' in name)


def load(name):
    """Load a config of the project by its name."""
    return Config.fromfile(ROOT / 'configs' / f'{name}.py')


def loader_of(config):
    """Return the config's data loader: test, or train for pretraining."""
    return config.get('test_dataloader') or config.train_dataloader


def lay_out(root, files, videos):
    """Write the files of a data set, and its videos as 4 frames of 64 x 48."""
    for name, text in files.items():
        root.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in videos:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(root / name), cv2.VideoWriter_fourcc(*'mp4v'), 10, (64, 48))
        for grey in range(4):
            writer.write(np.full((48, 64, 3), 50 * grey, np.uint8))
        writer.release()


def build_dataset(config):
    """Build the data set of a config."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(loader_of(config).dataset)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_config_parses(path):
    Config.fromfile(path)


RUNNABLE = [path for path in CONFIGS if '_base_' not in path.parts]


# Channels D of a token, of the feed-forward network, and E of the joint space.
WIDTHS = {'ViT-L-14-quickgelu': (1024, 4096, 768), 'EVA01-g-14': (1408, 6144, 1024)}


def count_by_hand(config):
    """The number of weights that a full-size model trains."""
    width, hidden, embed_dim = WIDTHS[config['trunk']['arch']]
    layers, frames = config['backbone']['num_layers'], config['backbone']['num_frames']
    attention, norm = 4 * (width**2 + width), 2 * width
    temporal = norm + attention + width**2 + width
    spatial = 2 * norm + attention + 2 * width * hidden + hidden + width
    branch = layers * (temporal + spatial) + (1 + frames + layers) * width  # CLS, P_t, gates
    heads = 0
    for head in config.get('heads', []):
        if head['type'] == 'MBTAHead':
            # The released one has a bias and a layer norm.
            heads = width * embed_dim + 3 * embed_dim * (head.get('variant') == 'released')
    return branch + heads


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda path: path.stem)
def test_model_builds(path, tmp_path, monkeypatch):
    """On torch's meta device, which knows shapes and holds no numbers: no weights are needed."""
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(path).model.to_dict()
    config['trunk']['pretrained'] = None
    if 'cls_head' in config:
        class_file = tmp_path / config['cls_head']['class_file']
        class_file.parent.mkdir(parents=True)
        class_file.write_text('one\ntwo\n')
    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        model = MODELS.build(config)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if config['backbone']['type'] == 'FrameMean':
        assert (trained == 0) == config['trunk'].get('frozen', True)
    elif isinstance(config['trunk']['arch'], str):
        assert trained == count_by_hand(config)
    assert model.trunk.text is not None


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda path: path.stem)
def test_head_says_command_cost_and_result(path):
    lines = path.read_text().splitlines()
    comment = '\n'.join(line for line in lines[:12] if line.startswith('#'))
    assert lines[0].startswith(('# mim train mmbt configs/', '# mim test mmbt configs/'))
    assert path.name in lines[0] and '# Cost:' in comment and '# Result' in comment


def test_frame_mean_configs_change_the_backbone_alone():
    """Beside the folder they write to."""
    for name in ('demo_retrieval', 'demo_recognition'):
        ours, mean = load(f'demo/{name}').to_dict(), load(f'demo/{name}_frame_mean').to_dict()
        assert mean['model'].pop('backbone') == dict(type='FrameMean')
        del ours['model']['backbone']
        for config in (ours, mean):
            del config['work_dir']
            evaluators = config['test_evaluator']
            for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
                evaluator.pop('dump', None)
        assert ours == mean


def test_basenames_are_unique():
    repeated = [name for name, count in Counter(path.name for path in CONFIGS).items() if count > 1]
    assert repeated == []


def test_every_full_size_config_has_a_layout():
    """All but the demo's and the shards', which tests/datasets/test_shards.py builds."""
    names = {str(path.relative_to(ROOT / 'configs').with_suffix('')) for path in RUNNABLE}
    assert {name for name in names if not name.startswith('demo/')} == {
        *LAYOUTS, 'pretrain_webvid_shards'}


@pytest.mark.parametrize('name', LAYOUTS)
def test_data_builds_on_the_documented_layout(name, tmp_path, monkeypatch):
    folder, files, videos, expected = LAYOUTS[name]
    lay_out(tmp_path / 'data' / folder, files, videos)
    monkeypatch.chdir(tmp_path)
    config = load(name)
    sample = build_dataset(config)[0]
    frames, tokens, short_side = SIZES[name]
    assert sample['inputs']['imgs'].shape == (frames, 3, 224, 224)
    steps = loader_of(config).dataset.pipeline
    resized = [tuple(step.scale) for step in steps if step.type == 'Resize']
    assert resized[0] == ((224, 224) if short_side is None else (-1, short_side))
    if isinstance(expected, list):
        assert sample['data_samples'].captions == expected
        assert sample['inputs']['tokens'].shape == (1, tokens)
    else:
        assert sample['data_samples'].gt_label.tolist() == [expected]


@pytest.mark.parametrize('name', LAYOUTS)
def test_missing_data_is_named(name, tmp_path, monkeypatch):
    folder, files, videos, _ = LAYOUTS[name]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f'data/{folder}/.* is missing'):
        build_dataset(load(name))
    lay_out(tmp_path / 'data' / folder, files, [])
    with pytest.raises(FileNotFoundError, match=f'video folder data/{folder}/videos.* is missing'):
        build_dataset(load(name))


@pytest.mark.parametrize('name', ZERO_SHOT)
def test_metrics_and_class_names(name):
    config = load(name)
    with DefaultScope.overwrite_default_scope('mmaction'):
        prefix = METRICS.build(config.test_evaluator).prefix
    if 'cls_head' in config.model:
        assert prefix == 'acc'
        assert config.model.cls_head.class_file == config.test_dataloader.dataset.class_file
        assert config.model.cls_head.context_length == SIZES[name][1]
        assert [hook.type for hook in config.custom_hooks] == ['ClassPromptHook']
    else:
        assert prefix == 'retrieval'


def test_pretraining_has_the_papers_settings():
    """Table 8 and Sec. 4.1."""
    config = load('pretrain_webvid')
    optimizer = config.optim_wrapper.optimizer
    assert config.optim_wrapper.type == 'OptimWrapper'
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', 2e-6, 0.05)
    assert tuple(optimizer.betas) == (0.9, 0.98)
    assert config.train_dataloader.batch_size * 8 == config.auto_scale_lr.base_batch_size == 640
    assert config.train_cfg.max_epochs == 1
    assert config.model.trunk.arch == 'ViT-L-14-quickgelu'
    assert (config.model.backbone.num_layers, config.model.backbone.num_frames) == (4, 8)
    assert config.model.mask.ratio == 0.7
    assert [(head.type, head.loss_weight, head.get('temperature')) for head in config.model.heads
            ] == [('VTCHead', 1, 0.01), ('MBTAHead', 1, None), ('MBCAHead', 1, 0.01)]


@pytest.mark.parametrize('name', RELEASED_SIZES)
def test_a_released_test_changes_variant_and_sizes_alone(name):
    """And the batch where there are more frames."""
    ours, released = load(name).to_dict(), load(f'released/{name}_released').to_dict()
    assert released['model']['backbone'].pop('variant') == 'released'
    for config in (ours, released):
        config['model'].get('cls_head', {}).pop('context_length', None)
        loader = config['test_dataloader']
        loader.pop('batch_size')
        for step in config['test_pipeline'] + loader['dataset']['pipeline']:
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


def test_released_schedule():
    """Half an epoch up from a twentieth, and half of a cosine's first ninth down."""
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1.)
    with DefaultScope.overwrite_default_scope('mmaction'):
        schedulers = [
            PARAM_SCHEDULERS.build(
                dict(scheduler), default_args=dict(optimizer=optimizer, epoch_length=1000))
            for scheduler in load('pretrain_webvid_released').param_scheduler]
    rates = []
    for _ in range(1000):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(0.05)
    assert rates[250] == pytest.approx(0.05 + 0.95 * 250 / 499)
    assert rates[499] == pytest.approx(1)
    assert rates[999] == pytest.approx((1 + np.cos(np.pi * 499 / 4500)) / 2)


def test_pretraining_beside_eva_clip():
    """The paper's heads and settings; a smaller batch, and a warm-up as much longer."""
    paper, eva = load('pretrain_webvid').to_dict(), load('pretrain_webvid_eva_clip_g').to_dict()
    trunk = eva['model'].pop('trunk')
    assert trunk == dict(
        type='OpenCLIPTrunk', arch='EVA01-g-14', pretrained='laion400m_s11b_b41k')
    del paper['model']['trunk']
    assert paper['model'] == eva['model']
    for config, batch in ((paper, 80), (eva, 16)):
        assert config['train_dataloader'].pop('batch_size') == batch
        assert config['auto_scale_lr'].pop('base_batch_size') == 8 * batch
        assert config['param_scheduler'][0].pop('end') == 390 * 80 // batch
    assert paper == eva


def test_eva_clip_takes_openais_pixels():
    """So that the preprocessor's defaults serve, and its weights are known to open_clip."""
    trunk = load('pretrain_webvid_eva_clip_g').model.trunk
    pixels = open_clip.get_pretrained_cfg(trunk.arch, trunk.pretrained)
    assert tuple(255 * v for v in pixels['mean']) == pytest.approx(CLIP_MEAN)
    assert tuple(255 * v for v in pixels['std']) == pytest.approx(CLIP_STD)
