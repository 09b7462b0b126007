"""Pipelines are built from parts that have names, and the names tell what the pipelines have."""
import ast

import pytest
from mmengine.config import Config

from .layouts import CONFIGS, ROOT

PIPELINES = ('pipeline', 'train_pipeline', 'test_pipeline')


def indexed(text):
    """The places in a config's text that take a part of a pipeline by its number."""
    return sorted(node.lineno for node in ast.walk(ast.parse(text))
                  if isinstance(node, ast.Subscript) and 'pipeline' in ast.unparse(node.value))


def test_numbers_are_noticed():
    assert indexed('test_pipeline[3].context_length = 77\nx = _base_.train_pipeline[1:]') == [1, 2]
    assert indexed('heads = _base_.model.heads[:1]') == []


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_config_addresses_a_part_by_its_number(path):
    assert indexed(path.read_text()) == []


@pytest.mark.parametrize('path', [path for path in CONFIGS if 'ablations' not in path.parts],
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_a_variant_finds_every_part_by_its_name(path):
    """Merged as MMEngine merges them: a part that takes another's name would keep keys of it."""
    config = Config.fromfile(path, import_custom_modules=False)
    parts = list(config.values())
    pipelines = [config[name] for name in PIPELINES if name in config]
    for name in ('train_dataloader', 'test_dataloader'):
        pipeline = config.get(name, {}).get('dataset', {}).get('pipeline')
        assert pipeline is None or pipeline in pipelines
    assert [step for pipeline in pipelines for step in pipeline if step not in parts] == []
