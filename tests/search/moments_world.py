"""Vectors and videos for the tests of an index of moments, and what is to be found among them."""
import numpy as np

from mmbt.search.moment_index import Found
from mmbt.search.video_rows import VideoRow
from mmbt.search.windows import Window

WIDTH = 16
MADE_BY = dict(model='0f', pipeline=[dict(type='ReadFrames')], windows=dict(length=4., stride=2.))


def vectors(count, seed):
    """(count, WIDTH) of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def add(index, path, count=10, seed=0, mtime=1, with_baseline=True):
    """Add a video of windows that follow from its seed."""
    windows = [Window(2. * number, 2. * number + 4.) for number in range(count)]
    index.add(VideoRow(path, 5, mtime, 2. * count + 2., count, ''), windows, vectors(count, seed),
              vectors(count, seed + 1000) if with_baseline else None)


def a_name(number):
    """A path with all that paths may hold, in one of three folders."""
    return f'/videos/{number % 3}/it\'s "ü" {number}\udcff.mp4'


def expected(query, numbers, top, column='embedding', name=a_name, count=10):
    """By a loop over float16 vectors, as they are kept."""
    if column == 'time' and len(numbers) > 1:  # the best of the frame means, in another order
        best = {each[:3] for each in expected(query, numbers, top, 'baseline', name, count)}
        found = [each for number in numbers
                 for each in expected(query, [number], count, 'time', name, count)]
        return sorted((each for each in found if each[:3] in best), key=lambda each: -each.score)
    found = []
    for number in numbers:
        kept = {'embedding': vectors(count, number), 'baseline': vectors(count, number + 1000)}
        kept = {name: rows.astype(np.float16).astype(np.float32) for name, rows in kept.items()}
        rows = kept[column] if column != 'time' else kept['embedding'] - kept['baseline']
        found += [Found(name(number), 2. * place, 2. * place + 4., float(row @ query))
                  for place, row in enumerate(rows)]
    return sorted(found, key=lambda each: -each.score)[:top]


def assert_same(found, wanted):
    """The same windows in the same order, with the same scores."""
    assert [each[:3] for each in found] == [each[:3] for each in wanted]
    np.testing.assert_allclose([each.score for each in found], [each.score for each in wanted],
                               atol=1e-5)
