"""The metafiles: every config is in one, their numbers are the paper's, and mim reads them."""
import importlib
import re

import modelindex
import pytest
import yaml
from click.testing import CliRunner

from mmbt.lab.ablation.tables import TABLES

from .layouts import CONFIGS, ROOT

METAFILES = sorted((ROOT / 'configs').rglob('metafile.yml'))
WEIGHTS = 'tools/where_weights_are.py'


def models_of(path):
    """The models that a metafile lists."""
    return yaml.safe_load(path.read_text())['Models']


MODELS = [model for path in METAFILES for model in models_of(path)]


def paper_s(model):
    """``(data set, metric, number)`` of each result of a model."""
    return [(result['Dataset'], metric, number) for result in model.get('Results', [])
            for metric, number in result['Metrics'].items()]


def test_the_index_imports_every_metafile_and_finds_nothing_wrong():
    index = modelindex.load(str(ROOT / 'model-index.yml'))
    index.check(silent=False)
    assert not index.check_errors
    assert {path.relative_to(ROOT).as_posix() for path in METAFILES} == set(
        yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import'])
    assert len(index.models) == len(MODELS)


def test_every_config_is_in_the_metafile_of_its_folder():
    for path in METAFILES:
        own = [each for each in CONFIGS if each.parent == path.parent]
        assert [(model['Name'], model['Config']) for model in models_of(path)] == [
            (each.stem, f'{each.relative_to(ROOT)},{WEIGHTS}') for each in own]
    assert len(MODELS) == len([path for path in CONFIGS if '_base_' not in path.parts])
    assert (ROOT / WEIGHTS).is_file()


@pytest.mark.parametrize('model', [each for each in MODELS if 'Results' in each],
                         ids=lambda model: model['Name'])
def test_numbers_are_the_paper_s_as_the_config_s_head_has_them(model):
    text = (ROOT / model['Config'].split(',')[0]).read_text()
    head = text[:text.index('_base_ = ')]
    numbers = {float(number) for number in re.findall(r'\b\d+\.\d+\b', head)}
    for _, metric, number in paper_s(model):
        assert metric.startswith('Paper ') and number in numbers


def test_ablations_have_the_numbers_of_their_rows():
    rows = {row.config: row.paper for parts in TABLES.values() for part in parts
            for row in part.rows}
    for model in models_of(ROOT / 'configs/ablations/metafile.yml'):
        found = {f'{data} R@1' if metric == 'Paper R@1' else metric.removeprefix('Paper '): number
                 for data, metric, number in paper_s(model)}
        assert found == rows[model['Name']]


@pytest.fixture
def mim(tmp_path, monkeypatch):
    """``mim(command, ...)`` runs mim on mmbt as an installation offers it; its result."""
    (tmp_path / '.mim').mkdir()
    for name in ('configs', 'tools', 'model-index.yml'):
        (tmp_path / '.mim' / name).symlink_to(ROOT / name)

    def mim(command, *arguments):
        search, module = (importlib.import_module(f'mim.commands.{name}')
                          for name in ('search', command))
        for each in (search, module):
            monkeypatch.setattr(each, 'get_installed_path', lambda package: str(tmp_path))
            monkeypatch.setattr(each, 'is_installed', lambda package: True)
        monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))
        return CliRunner().invoke(module.cli, ['mmbt', *arguments])
    return mim


def test_mim_search(mim):
    result = mim('search')
    assert result.exit_code == 0
    assert result.output.count('config id: ') == len(MODELS)
    result = mim('search', '--config', 'zeroshot_msrvtt', '--field', 'paper_r', 'weight')
    words = result.output.split()
    assert words[words.index('msr-vtt/paper_r@1') + 1] == '40.9'
    assert words[words.index('weight') + 1] == 'not-published/'


@pytest.mark.parametrize('name', ['zeroshot_msrvtt', 'zeroshot_msrvtt_released'])
def test_mim_download_says_in_one_line_where_weights_are(name, mim, tmp_path, monkeypatch):
    """Nothing is fetched; what can be had, the config, is there."""
    def fetch(*args, **kwargs):
        raise AssertionError('mim fetches')
    monkeypatch.setattr('requests.get', fetch)
    result = mim('download', '--config', name, '--dest', str(tmp_path / 'out'))
    assert isinstance(result.exception, SystemExit) and result.exit_code == 1
    line = result.exception.code
    assert line.startswith('mmbt publishes no weights: train them') and '\n' not in line
    assert 'https://huggingface.co/farewellthree/BTAdapter-Weight ' in line
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [f'{name}.py']
