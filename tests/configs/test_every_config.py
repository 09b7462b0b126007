"""Every config: it parses, its name is its own, its model builds, its head says what it is for."""
from collections import Counter

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from .layouts import CONFIGS, LAYOUTS, ROOT, RUNNABLE, load, read_config

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_config_parses(path):
    read_config(path)


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
    config = read_config(path).model.to_dict()
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
    elif isinstance(config['trunk']['arch'], str) and path.parent.name != 'ablations':
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


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda path: path.stem)
def test_mmaction2_s_inference_reads_videos_as_the_test_does(path):
    """Its ``inference_recognizer`` takes ``test_pipeline`` of a config, its test the data set's."""
    config = read_config(path)
    dataset = config.get('test_dataloader', {}).get('dataset', {})
    assert config.get('test_pipeline') == dataset.get('pipeline')


def test_basenames_are_unique():
    repeated = [name for name, count in Counter(path.name for path in CONFIGS).items() if count > 1]
    assert repeated == []


def test_every_full_size_config_has_a_layout():
    """All but the demo's, the ablations' and the shards', which have tests of their own."""
    names = {str(path.relative_to(ROOT / 'configs').with_suffix('')) for path in RUNNABLE}
    assert {name for name in names if not name.startswith(('demo/', 'ablations/'))
            } == {*LAYOUTS, 'pretrain_webvid_shards'}
