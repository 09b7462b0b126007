"""The site of docs/: its pages, its pictures and its API reference, checked without building it.

``make docs`` builds it and refuses what mkdocs finds wrong.
"""
import importlib
import inspect
import re
import runpy
import subprocess
import sys

import pytest
import yaml

import mmbt
from mmbt import cli

from .blocks import DOCUMENTS, FENCE, ROOT

DOCS = ROOT / 'docs'
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob('*.md'))
SITE = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())
API = {page: re.findall(r'^::: (\S+)$', (DOCS / page).read_text(), re.M)
       for page in PAGES if page.startswith('api/')}

# Names of the faces that no page describes: exceptions and constants that a page names in passing.
UNDESCRIBED = {
    'mmbt.reading': {'CountChanged', 'MAX_PIXELS'},
}


def pages_of(nav):
    """The pages that a part of the navigation leads to."""
    for entry in nav:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else pages_of(target)


def test_the_navigation_leads_to_every_page_once():
    assert sorted(pages_of(SITE['nav'])) == PAGES


def test_broken_links_would_stop_the_building():
    levels = [level for part in SITE['validation'].values() for level in part.values()]
    assert len(levels) == 7 and set(levels) == {'warn'}
    assert 'mkdocs build --strict' in (ROOT / 'Makefile').read_text()


def pins(name):
    """Package -> version of a requirement file's own lines, all of which must be exact."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1] not in '#-']
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+', line) for line in lines), name
    return dict(line.lower().split('==') for line in lines)


def test_what_builds_the_site_is_pinned_as_elsewhere():
    """The environment of the site is its own; one of both would have one version of each."""
    docs, others = pins('requirements-docs.txt'), pins('requirements-dev.txt')
    others |= pins('requirements.txt')
    assert {'mkdocs', 'mkdocs-material', 'mkdocstrings-python', 'griffelib'} <= set(docs)
    assert {name: docs[name] for name in docs.keys() & others.keys()} == {
        name: others[name] for name in docs.keys() & others.keys()}


@pytest.mark.parametrize('page', PAGES)
def test_pages_link_to_pages(page):
    """What lies outside of docs is not on the site; a link there would be broken."""
    text = FENCE.sub('', (DOCS / page).read_text())
    for link in re.findall(r'\]\(\s*([^)\s#]+)', text):
        if '://' not in link:
            target = ((DOCS / page).parent / link).resolve()
            assert target.is_file() and target.is_relative_to(DOCS), link


@pytest.mark.parametrize('page', API)
def test_the_reference_names_what_is_there(page):
    """Each is there under the name that is told, and has a docstring to show."""
    for name in API[page]:
        module, _, last = name.rpartition('.')
        found = getattr(importlib.import_module(module), last)
        assert (inspect.isclass(found) or inspect.isfunction(found)) and found.__doc__, name


@pytest.mark.parametrize('face', ['apis', 'models', 'datasets', 'evaluation', 'engine', 'reading',
                                  'search', 'conversation'])
def test_the_reference_is_whole(face):
    described = {name.rpartition('.')[2] for names in API.values() for name in names}
    face = importlib.import_module(f'mmbt.{face}')
    assert set(face.__all__) - described == UNDESCRIBED.get(face.__name__, set())


def test_the_picture_is_what_its_script_draws(tmp_path):
    script = DOCS / 'pictures/method.py'
    copy = tmp_path / script.name
    copy.write_text(script.read_text())
    subprocess.run([sys.executable, '-S', str(copy)], check=True)
    assert copy.with_suffix('.svg').read_text() == script.with_suffix('.svg').read_text()


def test_the_options_are_those_of_the_commands():
    """``python docs/commands.py`` writes them anew."""
    written = runpy.run_path(str(DOCS / 'commands.py'))['page'](cli)
    assert (DOCS / 'cli.md').read_text() == written
    assert '| `--save-every N` | save after so many videos; default: 100 |' in written
    assert '### mmbt bench memory\n' in written
    assert '| `--seed SEED` | seed of everything; default: 0 |' in written


def test_every_picture_is_shown():
    texts = ''.join(path.read_text() for path in DOCUMENTS)
    pictures = [path for kind in ('png', 'svg') for path in DOCS.rglob(f'*.{kind}')]
    assert [path for path in pictures if path.name not in texts] == []


def test_the_readme_is_a_door():
    """Short, and a user's own videos come within the first two screens."""
    lines = (ROOT / 'README.md').read_text().splitlines()
    assert len(lines) <= 160
    assert lines.index('## Your own videos') < 50
    assert mmbt.__name__ == lines[0].removeprefix('# ')
