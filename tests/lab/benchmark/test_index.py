"""The benchmark of the index: every number of its table, on a few windows. No speed is judged."""
import numpy as np
import pytest

from mmbt.lab.benchmark.index import Vectors
from mmbt.lab.benchmark.index_peers import exact_truth, recall_of
from mmbt.lab.benchmark.index_report import index_as_text, run_index_benchmark


def test_vectors_are_the_same_each_time():
    source = Vectors(250, 16)
    blocks = list(source.blocks())
    assert [len(block) for block in blocks] == [100, 100, 50]
    for block, again in zip(blocks, source.blocks()):
        assert np.array_equal(block, again)
    assert np.allclose(np.linalg.norm(np.concatenate(blocks), axis=1), 1)


def test_recall_is_the_share_of_the_best_that_were_found():
    vectors = np.eye(30, dtype=np.float32)
    queries = np.arange(30, 0, -1, dtype=np.float32)[None]
    truth = exact_truth(vectors, queries)
    assert sorted(truth[0]) == list(range(10))
    assert recall_of(np.array([[9, 8, 7, 6, 5, 4, 3, 20, 21, 22]]), truth) == 0.7


@pytest.mark.slow
def test_the_index_and_its_peers_have_a_row(tmp_path):
    told = []
    found = run_index_benchmark(tmp_path / 'new', 300, 16, ['numpy', 'faiss-flat'], told.append)
    assert not (tmp_path / 'new').exists() and len(told) > 10
    assert found['kind'] == 'exact' and found['exact_recall'] > .99
    for peer in found['peers'].values():
        assert peer['recall'] > .99 and peer['query'] > 0 and peer['bytes'] >= 300 * 16 * 2
    rows = [line for line in index_as_text(found).splitlines() if line.startswith('| ')]
    assert [row.split('|')[1].strip() for row in rows] == ['', 'mmbt, exact', 'numpy', 'faiss-flat']
    with pytest.raises(ValueError, match='is there already: name a new folder to measure in'):
        run_index_benchmark(tmp_path, 300, 16, [], told.append)
    with pytest.raises(ValueError, match='with 100 windows and 1 channel at least, got 3 and 16'):
        run_index_benchmark(tmp_path / 'new', 3, 16, [], told.append)
