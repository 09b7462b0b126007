"""The rows and the paper's numbers, typed here once more from its tables."""

import pytest

from mmbt.cli import ablate
from mmbt.lab.ablation.configs import ROWS
from mmbt.lab.ablation.tables import CORRECT, DIDEMO, MSRVTT, TABLES, TEMPORAL, shown
from mmbt.lab.ablation.worlds import WORLDS

PARTS = {part.name: part for parts in TABLES.values() for part in parts}
ALL_ROWS = [row for part in PARTS.values() for row in part.rows]

# Columns, then the paper's words and numbers.
PAPER = {
    'table1': ((CORRECT, TEMPORAL), """
        Baseline*           2.38 1.93
        ST pooling*         2.40 1.98
        Joint-ST            1.92 2.11
        Separate-ST         2.10 2.13
        Separate-ST*        2.29 2.01
        BT-Adapter*         2.55 2.26"""),
    'table6': ((MSRVTT, DIDEMO, TEMPORAL), """
        CLIP (baseline)     35.4 30.3 1.78
        + separate-ST       35.7 31.0 1.81
        + branch modeling   37.4 32.9 1.97
        + interaction       38.5 33.9 2.06"""),
    'table7': ((MSRVTT, DIDEMO), """
        VTC                 38.5 33.9
        VTC + MBTA          39.3 34.3
        VTC + MBCA          40.1 34.9
        VTC + MBTA + MBCA   40.9 35.6"""),
    'table10': ((MSRVTT, CORRECT, TEMPORAL), """
        CLIP (baseline)     35.4 2.06 1.78
        ST-Adapter          33.6 1.52 1.71
        STAN (open)         40.5 1.84 1.77
        STAN (frozen)       38.1 2.07 1.92
        BT-Adapter          40.9 2.16 2.13"""),
    'table11_projection': ((MSRVTT, DIDEMO), """
        No projection       39.1 33.5
        Random initialization 39.3 34.0
        Zero initialization 40.9 35.6"""),
    'table11_combination': ((MSRVTT, DIDEMO), """
        Addition            40.0 34.4
        Weighted selection  40.9 35.6
        Concatenation       39.8 34.5"""),
}


@pytest.mark.parametrize('name', PAPER)
def test_the_papers_numbers(name):
    columns, text = PAPER[name]
    part = PARTS[name]
    lines = [' '.join([row.label, *(shown(column, row.paper[column]) for column in columns)])
             for row in part.rows]
    assert part.columns == columns
    assert lines == [' '.join(line.split()) for line in text.strip().splitlines()]


def test_figures_have_places_and_no_numbers():
    """The paper shows curves without numbers."""
    places = {name: [(row.series, row.x) for row in PARTS[name].rows] for name in ('fig3', 'fig4')}
    assert places['fig3'] == [('', k) for k in (1, 2, 3, 4, 6, 8)]
    assert places['fig4'] == [*(('tube', p) for p in (0, 30, 50, 70, 90)),
                              ('random', 50), ('random', 70)]
    assert all(PARTS[name].columns == () and PARTS[name].axis for name in places)
    assert set(PARTS) == {*PAPER, *places}


def test_rows_and_configs_are_the_same():
    assert sorted(row.config for row in ALL_ROWS) == sorted(path.stem for path in ROWS.glob('*.py'))


@pytest.mark.parametrize('row', ALL_ROWS, ids=lambda row: row.config)
def test_a_configs_head_has_the_papers_numbers(row):
    lines = (ROWS / f'{row.config}.py').read_text().splitlines()
    head = ' '.join(line for line in lines if line.startswith('#'))
    result = head.split('# Result: ')[1]
    for column, number in row.paper.items():
        assert shown(column, number) in result
    assert row.paper or 'no numbers' in result or 'not in the paper' in result


def test_the_tool_names_all_tables_and_worlds():
    assert tuple(TABLES) == ablate.TABLES and sorted(ablate.WORLDS) == sorted(WORLDS)


@pytest.mark.parametrize('world', WORLDS.values(), ids=lambda world: world.name)
def test_a_worlds_columns_come_from_its_tests(world):
    ours = {column.label for column in world.columns}
    assert len(ours) == len(world.columns)
    assert {column.test for column in world.columns} == set(world.tests)
    assert set(world.stands_for.values()) <= ours
    assert set(world.stands_for) <= {name for part in PARTS.values() for name in part.columns}
    assert set(world.lacks) <= {row.config for row in ALL_ROWS}
