"""What a row's key holds: the code that it runs through, and nothing that is only said about it."""
import ast
import shutil

import pytest

from mmbt.files.sources import digest
from mmbt.lab.ablation import sources
from mmbt.lab.ablation.sources import IDLE, PACKAGE, libraries, made_by, source_files

CODE = '''"""About."""
import os


class A:
    """A class."""

    def f(self, x):
        """What it does."""
        return x + 1  # one more
'''


@pytest.fixture
def written(tmp_path):
    """``written(text)``: the digest of a folder with a file of this text."""
    def written(text, name='a.py'):
        (tmp_path / name).write_text(text)
        found = digest(tmp_path.glob('*.py'), tmp_path)
        (tmp_path / name).unlink()
        return found
    return written


def test_words_about_the_code_change_nothing(written):
    assert written(CODE) == written(CODE)
    for old, new in (('"""About."""\n', ''), ('What it does', 'What else'), ('# one more', ''),
                     ('    """A class."""\n\n', '\n'), ('x + 1 ', '(x  +  1)')):
        assert old in CODE and written(CODE.replace(old, new)) == written(CODE)


def test_code_and_names_change_it(written):
    different = {written(CODE), written(CODE, 'b.py'), written(CODE.replace('+ 1', '+ 2')),
                 written(CODE.replace('return x + 1', '"""Not said about it."""; return x + 1')),
                 written(CODE.replace('import os', 'import sys')),
                 written(CODE.replace('(self, x)', '(self, x=None)'))}
    # A docstring is the first of a body; another string is code that does nothing.
    assert len(different) == 6


@pytest.fixture
def copy(tmp_path):
    """A copy of the package's code."""
    return shutil.copytree(PACKAGE, tmp_path / 'mmbt', ignore=lambda folder, names: [
        name for name in names if name in ('.mim', '__pycache__')])


def test_what_rows_run_through_changes_the_key_and_the_rest_does_not(copy):
    def key():
        made_by.cache_clear()
        return made_by(copy)['sources']
    before = key()
    assert before == digest(source_files(), PACKAGE)
    for name in ('search/stamps.py', 'lab/demo/page.py', 'version.py', 'lab/ablation/report.py',
                 'models/checkpoints/conversion/new.py'):
        with (copy / name).open('a') as file:
            file.write('\nADDED = 1\n')
    assert key() == before
    counted = {path.relative_to(copy).as_posix() for path in source_files(copy)}
    assert {'models/masks.py', 'datasets/transforms/reading.py', 'engine/resuming.py',
            'evaluation/retrieval.py', 'lab/ablation/row.py', 'files/atomic.py',
            'compat/running.py', 'lab/world/cues.py', 'reading/facts.py'} <= counted
    for name in ('models/masks.py', 'new.py'):
        with (copy / name).open('a') as file:
            file.write('\nADDED = 1\n')
        after = key()
        assert after != before, name
        before = after
    made_by.cache_clear()


# Counted code that names idle code, and why that changes no number.
KNOWN = {
    ('__init__.py', 'version.py'),
    ('__init__.py', 'conversation'),  # registers it
    ('lab/ablation/__init__.py', 'lab/ablation/summary.py'),
    ('lab/ablation/__init__.py', 'lab/ablation/tables.py'),
    ('lab/ablation/worlds.py', 'lab/ablation/tables.py'),  # names of columns
    ('engine/monitoring.py', 'engine/training_picture.py'),  # draws a log
    ('models/checkpoints/branch_file.py', 'version.py'),  # a file's meta
    ('engine/caching.py', 'models/init_model.py'),  # loads what a training would
}


def test_counted_code_uses_no_idle_code():
    """A new import of idle code by counted code is to be looked at: does it change numbers?"""
    found = set()
    for path in source_files():
        here = path.relative_to(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text())):
            for module in imported(node, here):
                found |= {(here.as_posix(), idle) for idle in IDLE
                          if f'{module}/'.startswith(idle.removesuffix('.py') + '/')}
    assert found == KNOWN


def imported(node, here):
    """The package's modules that a statement may import, as paths without suffix."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names if alias.name.startswith('mmbt.')]
        return [name.removeprefix('mmbt.').replace('.', '/') for name in names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = (node.module or '').split('.')
    if node.level:
        base = [*here.parts[:len(here.parts) - node.level], *base]
    elif base[0] == 'mmbt':
        base = base[1:]
    else:
        return []
    stem = '/'.join(part for part in base if part)
    return [stem, *(f'{stem}/{alias.name}'.lstrip('/') for alias in node.names)]


def test_idle_names_are_there():
    """One that is renamed would count, or a new one of its name would not."""
    assert [name for name in IDLE if not (PACKAGE / name).exists()] == []


def test_libraries_are_those_that_are_installed(monkeypatch):
    import torch
    found = libraries()
    assert {'torch', 'numpy', 'mmengine', 'mmaction2', 'open_clip_torch', 'av'} <= set(found)
    assert torch.__version__.startswith(found['torch'])
    monkeypatch.setattr(sources, 'LIBRARIES', ('numpy', 'no-such-library'))
    assert set(libraries()) == {'numpy'}
