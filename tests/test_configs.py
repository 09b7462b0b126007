"""Every config: it parses, its name is its own, and its data builds on the layout it documents."""
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmbt  # noqa: F401

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
        'hmdb51', {'hmdb51_val_split_1_videos.txt': 'run/1.mp4\t51\n', 'classes.txt': HMDB_CLASSES},
        ['videos/run/1.mp4'], 50),
    'zeroshot_ucf101': (
        'ucf101', {'ucf101_val_split_1_videos.txt': 'Run/1.mp4\t1\n',
                   'classes.txt': '\n'.join(f'class {i}' for i in range(101))},
        ['videos/Run/1.mp4'], 0),
}
# Appendix A: frames and tokens.
SIZES = {'pretrain_webvid': (8, 32), 'zeroshot_msrvtt': (12, 12), 'zeroshot_didemo': (64, 64),
         'zeroshot_lsmdc': (12, 32), 'zeroshot_activitynet': (64, 64), 'zeroshot_k400': (16, 12),
         'zeroshot_hmdb51': (16, 12), 'zeroshot_ucf101': (16, 12)}


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
    elif config['trunk']['arch'] == 'ViT-L-14-quickgelu':
        width, embed_dim, frames, layers = 1024, 768, 8, 4
        temporal, spatial = 5 * (width**2 + width) + 2 * width, 12 * width**2 + 13 * width
        branch = layers * (temporal + spatial) + (frames + 1) * width + layers * width
        assert trained == branch + (width * embed_dim if config.get('heads') else 0)
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


def test_every_zero_shot_config_has_a_layout():
    names = {path.stem for path in CONFIGS if path.parent.name == 'configs'}
    assert {name for name in names if name.startswith(('zeroshot', 'pretrain'))} <= set(LAYOUTS)


@pytest.mark.parametrize('name', LAYOUTS)
def test_data_builds_on_the_documented_layout(name, tmp_path, monkeypatch):
    folder, files, videos, expected = LAYOUTS[name]
    lay_out(tmp_path / 'data' / folder, files, videos)
    monkeypatch.chdir(tmp_path)
    sample = build_dataset(load(name))[0]
    frames, tokens = SIZES[name]
    assert sample['inputs']['imgs'].shape == (frames, 3, 224, 224)
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


@pytest.mark.parametrize('name', sorted(set(LAYOUTS) - {'pretrain_webvid'}))
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
