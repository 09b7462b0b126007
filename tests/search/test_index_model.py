"""An index after any order of adding, dropping, compacting and building, beside a dictionary."""
import random

import numpy as np
import pytest

from mmbt.search import approximate, exact
from mmbt.search.memory_index import MemoryIndex
from mmbt.search.moment_index import MomentIndex

from .moments_world import WIDTH, add, vectors

PATHS = [f'/films/{folder}/{number}.mp4' for folder in 'ab' for number in range(6)]


def check(index, model, query):
    """A reader finds what the model has, in a scope and without a video too."""
    for options in ({}, dict(scope='/films/b'), dict(scope=PATHS[3]), dict(exclude_path=PATHS[7]),
                    dict(scope='/films/a', exclude_path=PATHS[0])):
        found, wanted = index.search(query, 15, **options), model.search(query, 15, **options)
        assert [each.score for each in found] == pytest.approx(
            [each.score for each in wanted], abs=2e-3)
        scores = {each[:3]: each.score for each in model.search(query, 10**6, **options)}
        assert len({each[:3] for each in found}) == len(found)
        for each in found:
            assert scores[each[:3]] == pytest.approx(each.score, abs=2e-3)
    assert sorted(row.path for row in index.videos()) == sorted(row.path for row in model.videos())
    assert index.count_windows() == model.count_windows()
    assert len(index.search(query, 10**6)) == model.count_windows()


@pytest.mark.parametrize('many', [True, False], ids=['as of many windows', 'as of few'])
@pytest.mark.parametrize('seed', range(2))
def test_whatever_is_done_the_values_are_those_of_a_dictionary(tmp_path, monkeypatch, seed, many):
    """Two processes' worth of readers look in now and then, and write too."""
    if many:
        for module, name in ((approximate, 'EXACT_BELOW'), (exact, 'IN_MEMORY')):
            monkeypatch.setattr(module, name, 20)
        monkeypatch.setattr(approximate, 'SHARES', (1.,))  # every list: what is found is exact
        monkeypatch.setattr(approximate, 'QUERIES', 4)
    draw = random.Random(seed)
    model = MemoryIndex(WIDTH)
    readers = [MomentIndex.create(tmp_path / 'index', WIDTH, {}) for _ in range(2)]
    doing = ['add', 'add', 'add', 'drop', 'compact', 'build', 'look', 'look', 'open'] * 5
    draw.shuffle(doing)
    for step, what in enumerate(doing):
        index = draw.choice(readers)
        if what == 'add':
            for path in draw.sample(PATHS, 3):
                size = draw.randrange(1, 25)
                add(index, path, size, seed=100 * seed + step, mtime=step)
                add(model, path, size, seed=100 * seed + step, mtime=step)
            index.flush()
        elif what == 'drop':
            gone = draw.sample(PATHS, 2)
            index.drop(gone)
            model.drop(gone)
        elif what == 'compact':
            index.compact(keep=draw.choice([60., 3600.]))
        elif what == 'build':
            report = index.build()
            assert report['windows'] == model.count_windows()
        elif what == 'open':
            readers[draw.randrange(2)] = MomentIndex.open(tmp_path / 'index')
        else:
            check(index, model, vectors(1, 7000 + step)[0])
    for index in readers:
        check(index, model, vectors(1, 7999)[0])
        for path in PATHS:
            windows, rows = model.windows_of(path)
            kept, stored = index.windows_of(path)
            assert kept == windows
            np.testing.assert_allclose(stored, rows, atol=1e-3)
