"""Both kinds of install put the tools and the configs where mim looks for them."""
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
BUILD = 'import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])'


@pytest.fixture
def checkout(tmp_path):
    """A copy to build in: building leaves files behind."""
    folder = tmp_path / 'checkout'
    for name in ('mmbt', 'tools', 'configs'):
        shutil.copytree(ROOT / name, folder / name, symlinks=True,
                        ignore=shutil.ignore_patterns('__pycache__', '.mim'))
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'model-index.yml'):
        shutil.copy(ROOT / name, folder)
    return folder


def install(checkout, kind):
    """Build a wheel of the checkout and unpack it into site-packages, as pip does."""
    wheels, site = checkout.parent / 'wheels', checkout.parent / 'site-packages'
    wheels.mkdir()
    subprocess.run([sys.executable, '-c', BUILD.format(kind), str(wheels)], cwd=checkout,
                   check=True, capture_output=True)
    with zipfile.ZipFile(next(wheels.glob('*.whl'))) as wheel:
        wheel.extractall(site)
    return site


def where_mim_looks(site):
    """mim.utils.get_installed_path('mmbt'), given where its metadata lies."""
    if (site / 'mmbt').exists():
        return site / 'mmbt'
    top_level = next(site.glob('mmbt-*.dist-info')) / 'top_level.txt'
    return site / top_level.read_text().split('\n')[0]


@pytest.mark.parametrize('kind', ['wheel', 'editable'])
def test_mim_finds_every_tool_and_each_config_once(checkout, kind):
    package = where_mim_looks(install(checkout, kind))

    assert (package / '__init__.py').is_file()
    for tool in ('train.py', 'test.py'):
        ours = (package / '.mim' / 'tools' / tool).read_text()
        assert ours == (ROOT / 'tools' / tool).read_text()
    index = (package / '.mim' / 'model-index.yml').read_text()
    assert index == (ROOT / 'model-index.yml').read_text()
    for line in index.splitlines()[2:]:
        assert (package / '.mim' / line.removeprefix('  - ')).is_file()
    # mim searches the whole package, links included, and refuses a name that occurs twice
    found = Counter(name for _, _, files in os.walk(package, followlinks=True) for name in files)
    configs = [path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts]
    assert configs and [path.name for path in configs if found[path.name] != 1] == []


def test_editable_install_is_the_checkout_itself(checkout):
    site = install(checkout, 'editable')
    paths = [line for path in site.glob('*.pth') for line in path.read_text().splitlines()]
    assert paths == [str(checkout)]
    (checkout / 'configs' / 'a_new_one.py').touch()
    assert (where_mim_looks(site) / '.mim' / 'configs' / 'a_new_one.py').is_file()


def test_installing_again_replaces_what_was_offered_before(checkout):
    """A link left by an editable install is not copied through."""
    install(checkout, 'editable')
    shutil.rmtree(checkout.parent / 'wheels')
    shutil.rmtree(checkout.parent / 'site-packages')
    site = install(checkout, 'wheel')
    assert not (site / 'mmbt' / '.mim' / 'tools').is_symlink()
    assert (checkout / 'tools' / 'train.py').is_file()
