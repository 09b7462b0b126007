"""What the tests of this folder share: configs read once, and results that no model had."""
import functools
import json

import pytest
from mmengine.config import Config

from mmbt.lab.ablation import configs
from mmbt.lab.ablation.schedule import Run
from mmbt.lab.ablation.tables import Row, Table
from mmbt.lab.ablation.worlds import Column, World

TOY = World(
    name='toy', train='none', tests=dict(search='none', guess='none'),
    columns=(Column('found', 'search', 'R1'), Column('guessed', 'guess', 'top1', 100)),
    stands_for={'theirs R@1': 'found', 'their score': 'guessed'})
TOY_TABLE = Table('toy_table', 'Toys', (
    Row('a', 'A', {'theirs R@1': 10.0, 'their score': 1.5}),
    Row('b', 'B', {'theirs R@1': 20.0, 'their score': 1.5}),
    Row('c', 'C', {'theirs R@1': 30.0, 'their score': 1.1}),
    Row('d', 'D', {'theirs R@1': 40.0, 'their score': 2.0})))
# Row -> what each seed found, and guessed of 1. A fourth row was not run.
MEASURED = {
    'a': {0: (1.0, 0.5), 1: (2.0, 0.5), 2: (6.0, 0.5)},
    'b': {0: (3.0, 0.25), 1: (3.0, 0.25), 2: (3.0, 0.25)},
    'c': {0: (4.0, 0.25), 2: (6.0, 0.25)},
}
# Who made these results.
MADE = dict(version='1.2', sources='abc', libraries=dict(numpy='2', torch='3'),
            finished='2026-01-02T03:04:05+00:00')


@pytest.fixture(scope='session')
def load():
    """``load(row, base)``: the config of a row over a base, as a dict; do not change it."""
    @functools.cache
    def load(row, base):
        if row is None:
            return Config.fromfile(configs.CONFIGS / f'{base}.py').to_dict()
        return configs.row_over(row, base).to_dict()
    return load


@pytest.fixture
def toy_runs(tmp_path):
    """The results of ``MEASURED`` on disk; the runs of all rows with three seeds."""
    runs = {(row.config, seed): Run(row.config, seed, tmp_path / f'{row.config}{seed}', tmp_path)
            for row in TOY_TABLE.rows for seed in range(3)}
    for row, seeds in MEASURED.items():
        for seed, (found, guessed) in seeds.items():
            run = runs[row, seed]
            run.folder.mkdir()
            result = dict(MADE, row=row, world='toy', seed=seed,
                          metrics=dict(search=dict(R1=found), guess=dict(top1=guessed)))
            if row != 'a':  # which trains nothing
                result['training'] = dict(seconds=10.0 + seed, weights=12345)
            run.result.write_text(json.dumps(result))
    return runs
