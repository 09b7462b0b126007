"""The ablations' configs on moving shapes: their data, and what an ablation may change in them."""
import json
from pathlib import Path

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmbt.lab.world import generate_world
from mmbt.lab.world.scenes import MOTIONS, SCENES

from .layouts import ROOT, build_dataset, load

SEED = Path('work_dirs/ablations/moving_shapes/seed0')
BRANCH = ('shapes_pretrain', 'shapes_retrieval', 'shapes_recognition', 'shapes_scenes')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a small world where the configs look for it."""
    folder = tmp_path_factory.mktemp('run')
    generate_world(folder / SEED / 'world', train=24, test=12, stills=6, held_out_words=True)
    return folder


@pytest.mark.parametrize('name, count', [('shapes_clip', 6), ('shapes_pretrain', 24),
                                         ('shapes_retrieval', 12), ('shapes_recognition', 12),
                                         ('shapes_scenes', 12)])
def test_data_builds(name, count, folder, monkeypatch):
    monkeypatch.chdir(folder)
    dataset = build_dataset(load(f'demo/{name}'))
    assert len(dataset) == count
    assert dataset[0]['inputs']['imgs'].shape == (1 if 'clip' in name else 8, 3, 64, 64)


@pytest.mark.parametrize('name, classes', [
    ('shapes_recognition', list(MOTIONS)),
    ('shapes_scenes', [scene.caption() for scene in SCENES])])
def test_head_and_data_set_have_the_same_classes(name, classes, folder, monkeypatch):
    monkeypatch.chdir(folder)
    config = load(f'demo/{name}')
    with DefaultScope.overwrite_default_scope('mmaction'):
        head = MODELS.build(config.model.cls_head)
    assert head.classes == classes == build_dataset(config).metainfo['classes']
    assert head.context_length == 18


def test_they_differ_from_the_demos_in_paths_and_length_alone():
    """The test configs name mask and heads too, which act in training alone."""
    for name in ('clip', 'pretrain', 'retrieval', 'recognition'):
        demo, shapes = (load(f'demo/{kind}_{name}').to_dict() for kind in ('demo', 'shapes'))
        if name in ('retrieval', 'recognition'):
            for part in ('mask', 'heads'):
                assert shapes['model'].pop(part) == shapes.pop(f'tiny_{part}')
        if name == 'retrieval':
            del demo['test_evaluator'][0]['dump']
        if name == 'pretrain':
            assert shapes.pop('train_cfg') == dict(type='ResumableTrainLoop', max_epochs=4)
            assert shapes['train_dataloader']['sampler'].pop('type') == 'ResumableSampler'
            draws = shapes.pop('fixed_draws')
            assert (draws['type'], draws['draws']) == ('FixedDraws', 4)
            for pipeline in (shapes['train_pipeline'],
                             shapes['train_dataloader']['dataset']['pipeline']):
                assert pipeline[0] == draws  # the same steps, of which two are drawn
                pipeline[:2] = [draws['transforms'][0], pipeline[1], draws['transforms'][1]]
            for key in ('interval', 'max_keep_ckpts'):
                assert shapes['default_hooks']['checkpoint'].pop(key) == 1
            del demo['train_cfg'], demo['default_hooks']['checkpoint']['interval']
            del demo['train_dataloader']['sampler']['type']
        moved = json.dumps(demo).replace('work_dirs/demo/', f'{SEED}/')
        assert json.loads(json.dumps(shapes)) == json.loads(moved), name


@pytest.mark.parametrize('name', BRANCH)
def test_an_ablation_changes_any_of_them(name, tmp_path):
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = ['{ROOT}/configs/demo/{name}.py']\n"
        "model = dict(backbone=dict(_delete_=True, type='FrameMean'), mask=None,\n"
        '             heads=_base_.model.heads[:1])\n')
    model = Config.fromfile(child).model.to_dict()
    assert model['backbone'] == dict(type='FrameMean') and model['mask'] is None
    assert model['heads'] == [dict(type='VTCHead', temperature=0.05)]
    parent = load(f'demo/{name}').model
    assert parent.mask == dict(type='TubeMask', ratio=0.5)
    assert [head.type for head in parent.heads] == ['VTCHead', 'MBTAHead', 'MBCAHead']
    assert (parent.backbone.type, parent.backbone.num_layers) == ('BTAdapter', 3)
