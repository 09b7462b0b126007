"""Several things as one query, and windows as moments: by hand-made vectors and scores."""
import numpy as np
import pytest

from mmbt.search.memory_index import Found
from mmbt.search.query import Hit, Query, combine, merge

X, Y, Z = np.eye(3, dtype=np.float32)
NONE = np.zeros((0, 3), np.float32)


def unit(*numbers):
    return np.array(numbers) / np.linalg.norm(numbers)


def test_several_things_are_the_direction_of_their_mean():
    np.testing.assert_allclose(combine(np.stack([X, Y]), NONE), unit(1, 1, 0), atol=1e-6)
    np.testing.assert_allclose(combine(np.stack([X, X, Y]), NONE), unit(2, 1, 0), atol=1e-6)
    assert combine(X[None], NONE).dtype == np.float32


def test_what_is_to_be_missing_leaves_its_direction():
    """(3, 4, 0) / 5 without y is x; without y and what lies between x and z, by hand."""
    np.testing.assert_allclose(combine(unit(3, 4, 0)[None], Y[None]), X, atol=1e-6)
    got = combine(unit(3, 4, 0)[None], np.stack([Y, unit(1, 0, 1)]))
    np.testing.assert_allclose(got, unit(1, 0, -1), atol=1e-6)
    # what both have in common counts nothing: 'entering' and 'leaving' share z
    entering, leaving = unit(1, 0, 3), unit(0, 1, 3)
    query = combine(entering[None], leaving[None])
    assert abs(query @ leaving) < 1e-6 < .3 < query @ entering
    twice = combine(unit(3, 4, 0)[None], np.stack([Y, Y, -Y]))  # of one direction
    np.testing.assert_allclose(twice, X, atol=1e-6)


@pytest.mark.parametrize('wanted, without', [([X], [X]), ([X, -X], []), ([X, Y], [X, Y])])
def test_a_query_of_which_nothing_is_left_is_one_line(wanted, without):
    with pytest.raises(ValueError, match='nothing is left of the query: [^\n]*cancel each other$'):
        combine(np.stack(wanted), np.stack(without) if without else NONE)


@pytest.mark.parametrize('settings, line', [
    ({}, 'a query needs a text, a video or an image to look for$'),
    (dict(without='rain'), "to look for, beside 'rain' to leave out"),
    (dict(texts=('a', ' ')), "is empty or no text: ' '"),
    (dict(texts='a', without=''), "is empty or no text: ''"),
    (dict(texts='a', mode='space'), "mode is 'plain', 'time' or 'mean', got 'space'"),
])
def test_bad_queries_are_one_line(settings, line):
    with pytest.raises(ValueError, match=line) as error:
        Query(**settings)
    assert '\n' not in str(error.value)
    assert Query('a').texts == ('a',)  # and not one text for each letter


def moments(top, same=0., **videos):
    """What becomes of windows of 4 s, one every 2 s, with these scores."""
    rows = {path: [Found(path, 2. * i, 2. * i + 4, score) for i, score in enumerate(scores)]
            for path, scores in videos.items()}
    found = sorted(sum(rows.values(), []), key=lambda each: -each.score)
    return merge(found, rows.__getitem__, top, same)


def test_neighbours_above_half_the_height_are_one_moment():
    # mean of a is 0.3, so that half the height of 0.9 is 0.6
    a = [0, .1, .7, .9, .6, .59, .1, .1, 0, -.09]
    assert np.mean(a) == pytest.approx(.3)
    assert moments(1, a=a) == [Hit('a', 4, 12, .9)]
    # what touches a moment is none of its own, what lies apart is: (14, 18) and (16, 20), then...
    first, second = moments(2, a=a)
    assert first == Hit('a', 4, 12, .9) and second[:1] + second[3:] == ('a', .1)
    assert moments(9, a=[.5]) == [Hit('a', 0, 4, .5)]


def test_moments_of_two_videos_and_of_one():
    a = [0, .8, .8, 0, 0, 0, 0, .7, 0, 0]
    b = [0, 0, 0, 0, .75, 0, 0, 0]
    assert moments(3, a=a, b=b) == [Hit('a', 2, 8, .8), Hit('b', 8, 12, .75), Hit('a', 14, 18, .7)]
    assert moments(1, a=a, b=b) == [Hit('a', 2, 8, .8)]


def test_a_difference_that_means_nothing_does_not_part_a_moment():
    a = [.3, .302, .3, .301, .299]
    assert moments(1, same=.005, a=a) == [Hit('a', 0, 12, .302)]
    assert moments(9, a=a)[0] == Hit('a', 2, 6, .302)


def test_a_moment_does_not_run_into_another():
    """The valley is above half the height of the second, and ends at the first."""
    a = [0, .9, 0, .5, .5, 0, 0, 0, 0, 0]  # mean .19: levels .545 and .345
    assert moments(2, a=a) == [Hit('a', 2, 6, .9), Hit('a', 8, 12, .5)]
