"""docs/evidence.md: its numbers are those of its csv files, and another version's are marked."""
import csv
import re

import pytest
from packaging.version import Version

import mmbt

from .blocks import ROOT

EVIDENCE = ROOT / 'docs/evidence.md'
TABLE = re.compile(r'\(evidence/(\w+)\.png\)\n\n((?:\|.*\n)+)')
OURS = ('t2v R@1', 'v2t R@1', 'motion top-1', 'time order', 'knowledge kept')
TABLES = TABLE.findall(EVIDENCE.read_text())


def test_every_file_is_shown():
    assert sorted(name for name, _ in TABLES) == sorted(
        path.stem for path in (ROOT / 'docs/evidence').glob('*.csv'))


@pytest.mark.parametrize('name, text', TABLES, ids=lambda value: value.split('\n')[0][:30])
def test_numbers_are_those_of_the_file_and_old_ones_are_marked(name, text):
    with (ROOT / f'docs/evidence/{name}.csv').open(newline='') as file:
        lines = list(csv.DictReader(file))
    head, _, *rows = [[cell.strip() for cell in line[1:-1].split('|')]
                      for line in text.splitlines()]
    for label, *cells in rows:
        shown = dict(zip(head[1:], cells))
        mine = [line for line in lines if line['row'] == label.removesuffix(' (old)')]
        assert int(shown['seeds']) == len(mine)
        assert {line['old'] for line in mine} == (
            {'yes'} if label.endswith(' (old)') else {'no'} if mine else set())
        for line in mine:
            this = Version(line['version']).base_version == Version(mmbt.__version__).base_version
            assert this or line['old'] == 'yes', 'numbers of another version, not marked as old'
        for column in OURS if mine else ():
            mean = sum(float(line[column]) for line in mine) / len(mine)
            assert float(shown[column].split()[0]) == pytest.approx(mean, abs=0.0506)
