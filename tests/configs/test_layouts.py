"""The data of each full-size config builds on the layout that it documents."""
import pytest
from mmaction.registry import METRICS
from mmengine.registry import DefaultScope

from .layouts import LAYOUTS, SIZES, ZERO_SHOT, build_dataset, lay_out, load, loader_of

pytestmark = pytest.mark.slow


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
