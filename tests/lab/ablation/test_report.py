"""Tables are read back: ours and the paper's numbers stand apart."""
import csv
from dataclasses import replace

import cv2
import pytest

from mmbt.lab.ablation.report import write_reports
from mmbt.lab.ablation.tables import Row

from .conftest import TOY, TOY_TABLE

OURS = ('', 'found', 'guessed', 'trained weights', 'seconds', 'seeds')
THEIRS = ('paper: theirs R@1', 'paper: their score')


def read_markdown(text):
    """The title, the rows of each table of a Markdown text, cells stripped, and other lines."""
    title, _, *lines = text.splitlines()
    tables, notes = [[]], []
    for line in lines:
        if not line:
            tables.append([])
        elif not line.startswith('|'):
            notes.append(line)
        else:
            assert line.startswith('| ') and line.endswith(' |')
            tables[-1].append([cell.strip() for cell in line[1:-1].split('|')])
    tables = [table for table in tables if table]
    for table in tables:
        assert len({len(row) for row in table}) == 1
        assert all(set(cell) <= set('-:') for cell in table.pop(1))
    return title, tables, notes


def test_markdown(toy_runs, tmp_path):
    write_reports([TOY_TABLE], TOY, toy_runs, tmp_path)
    title, (table, orders), notes = read_markdown((tmp_path / 'toy_table.md').read_text())
    assert title == '### Toys'
    assert notes == ['Measured with mmbt 1.2 (sources abc, torch 3), 2026-01-02.']
    assert table == [
        [*OURS, *THEIRS],
        ['A', '3.0 ± 2.6', '50.0 ± 0.0', '0', '', '3', '10.0', '1.50'],
        ['B', '3.0 ± 0.0', '25.0 ± 0.0', '12,345', '11', '3', '20.0', '1.50'],
        ['C', '5.0 ± 1.4', '25.0 ± 0.0', '12,345', '11', '2', '30.0', '1.10'],
        ['D', 'not run', 'not run', 'not run', '', '0', '40.0', '2.00']]
    assert [row[:4] for row in orders[1:]] == [
        ['theirs R@1', 'found', '2 of 3', '1 of 3'], ['their score', 'guessed', '1 of 2', '1 of 2']]
    assert [row[4] for row in orders[1:]] == ['A < B (2 of 3)', 'C < B (equal)']


def test_csv(toy_runs, tmp_path):
    write_reports([TOY_TABLE], TOY, toy_runs, tmp_path)
    with (tmp_path / 'toy_table.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['row'], row['config'], row['seed']) for row in rows] == [
        *(('A', 'a', str(i)) for i in range(3)), *(('B', 'b', str(i)) for i in range(3)),
        ('C', 'c', '0'), ('C', 'c', '2')]
    last = rows[-1]
    assert [float(last[key]) for key in (*OURS[1:3], 'train_seconds', 'trained_weights', *THEIRS)
            ] == [6, 25, 12, 12345, 30, 1.1]
    assert {tuple(row[key] for key in ('version', 'sources', 'finished', 'old')) for row in rows
            } == {('1.2', 'abc', '2026-01-02T03:04:05+00:00', 'no')}
    assert rows[0]['train_seconds'] == '' and rows[0]['trained_weights'] == '0'


def test_nothing_was_run(tmp_path):
    write_reports([TOY_TABLE], TOY, {}, tmp_path)
    _, (table, orders), notes = read_markdown((tmp_path / 'toy_table.md').read_text())
    assert notes == []
    for row, paper in zip(table[1:], ('10.0', '20.0', '30.0', '40.0')):
        assert row[1:7] == ['not run', 'not run', 'not run', '', '0', paper]
    assert [row[2:] for row in orders[1:]] == [['not run', '', '']] * 2
    assert len((tmp_path / 'toy_table.csv').read_text().splitlines()) == 1
    assert cv2.imread(str(tmp_path / 'toy_table.png')) is not None


def test_one_seed_has_no_spread(toy_runs, tmp_path):
    write_reports([TOY_TABLE], TOY, {key: run for key, run in toy_runs.items() if key[1] == 0},
                  tmp_path)
    _, (table, _), _ = read_markdown((tmp_path / 'toy_table.md').read_text())
    assert table[1][:3] == ['A', '1.0', '50.0']


@pytest.mark.parametrize('axis', ['', 'places'])
def test_pictures(axis, toy_runs, tmp_path):
    """A figure has a panel for the seconds too, and draws what was run alone."""
    table = replace(TOY_TABLE, axis=axis, rows=tuple(
        Row(row.config, row.label, row.paper, x=i, series='odd' if i % 2 else 'even')
        for i, row in enumerate(TOY_TABLE.rows)))
    paths = write_reports([table], TOY, toy_runs, tmp_path)
    assert paths == [tmp_path / f'toy_table.{kind}' for kind in ('md', 'csv', 'png')]
    picture = cv2.imread(str(paths[2]))
    assert picture.shape[1] > picture.shape[0] > 200 and picture.std() > 5
    assert sorted(path.suffix for path in tmp_path.glob('toy_table.*')) == ['.csv', '.md', '.png']


def test_a_table_without_the_papers_numbers_has_no_orders(toy_runs, tmp_path):
    table = replace(TOY_TABLE, rows=tuple(Row(row.config, row.label) for row in TOY_TABLE.rows))
    write_reports([table], TOY, toy_runs, tmp_path)
    _, (rows, ), _ = read_markdown((tmp_path / 'toy_table.md').read_text())
    assert rows[0] == list(OURS) and len(rows) == 5
