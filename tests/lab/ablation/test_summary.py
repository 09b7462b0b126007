"""Means, spreads and orders, derived by hand from the numbers of conftest.py."""
import json
import math

import numpy as np
import pytest

from mmbt.lab.ablation.summary import spread, summarize

from .conftest import TOY, TOY_TABLE


def test_values_over_seeds(toy_runs):
    (a, b, c, d), _ = summarize(TOY_TABLE, TOY, toy_runs)
    assert [each.row.config for each in (a, b, c, d)] == ['a', 'b', 'c', 'd']
    assert (a.seeds, b.seeds, c.seeds, d.seeds) == ((0, 1, 2), (0, 1, 2), (0, 2), ())
    assert a.values['found'].tolist() == [1, 2, 6]
    assert a.values['guessed'].tolist() == [50, 50, 50]  # of 100
    assert c.values['found'].tolist() == [4, 6] and c.seconds.tolist() == [10, 12]
    assert (a.weights, b.weights, d.weights) == (0, 12345, 0)
    assert len(a.seconds) == len(d.seconds) == len(d.values['found']) == 0


@pytest.mark.parametrize('values, expected', [
    ([1, 2, 6], math.sqrt(7)),  # (4 + 1 + 9) / (3 - 1)
    ([4, 6], math.sqrt(2)), ([3, 3, 3], 0)])
def test_sample_standard_deviation(values, expected):
    assert spread(np.array(values, float)) == pytest.approx(expected)


@pytest.mark.parametrize('values', [[], [5.0]])
def test_no_spread_of_fewer_than_two(values):
    assert math.isnan(spread(np.array(values)))


def test_orders(toy_runs):
    """Seeds are compared with themselves, and a tie of ours is no order."""
    _, (found, guessed) = summarize(TOY_TABLE, TOY, toy_runs)
    assert (found.paper, found.ours) == ('theirs R@1', 'found')
    # B - A is 2, 1, -3; C - A is 3, 0 and C - B is 1, 3 in seeds 0 and 2.
    assert found.seeds == {('A', 'B'): (2, 3), ('A', 'C'): (1, 2), ('B', 'C'): (2, 2)}
    assert found.held == [('A', 'C'), ('B', 'C')] and found.broken == [('A', 'B')]
    assert found.equal == [] and guessed.equal == [('C', 'B')]
    # The paper has A and B alike, and C below them. A - C is 25 twice, B - C is 0 twice.
    assert guessed.seeds == {('C', 'A'): (2, 2), ('C', 'B'): (0, 2)}
    assert guessed.held == [('C', 'A')] and guessed.broken == [('C', 'B')]


def test_no_pair_without_a_shared_seed(toy_runs):
    for row, seed in (('a', 0), ('b', 1), ('b', 2), ('c', 0), ('c', 2)):
        toy_runs[row, seed].result.unlink()
    _, (found, _) = summarize(TOY_TABLE, TOY, toy_runs)
    assert not found.held and not found.broken and not found.seeds


def test_a_result_without_a_column_is_named(toy_runs):
    run = toy_runs['b', 1]
    run.result.write_text(json.dumps(dict(metrics=dict(search=dict(R1=1.0), guess={}))))
    with pytest.raises(KeyError, match='top1'):
        summarize(TOY_TABLE, TOY, toy_runs)
