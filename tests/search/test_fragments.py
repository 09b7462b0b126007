"""Fragments of an index: merged once, of one model alone."""
import numpy as np
import pytest

from mmbt.search.fragments import Embedded, Merged, merge_fragments, read_fragment, write_fragment
from mmbt.search.moment_index import MomentIndex
from mmbt.search.video_rows import VideoRow
from mmbt.search.windows import Window

from .moments_world import MADE_BY, WIDTH, a_name, assert_same, expected, vectors


def rows_of(numbers, mtime=1):
    return [Embedded(VideoRow(a_name(number), 5, mtime, 22., 10, ''),
                     [Window(2. * place, 2. * place + 4.) for place in range(10)],
                     vectors(10, number), vectors(10, number + 1000)) for number in numbers]


def test_fragments_merge_once(tmp_path):
    bad = Embedded(VideoRow(a_name(9), 5, 1, 0., 0, 'cut short'), [], np.zeros((0, WIDTH)))
    for name, rows in dict(a=rows_of(range(6)), b=[*rows_of(range(4, 9)), bad],
                           c=rows_of([2], mtime=3)).items():
        write_fragment(tmp_path / 'parts', name, rows, width=WIDTH, made_by=MADE_BY)
    assert merge_fragments(tmp_path / 'parts', tmp_path / 'out') == Merged(3, 11, 2)
    index = MomentIndex.open(tmp_path / 'out', MADE_BY)
    version = index._moments.data.version
    query = vectors(1, 70)[0]
    assert_same(index.search(query, 9), expected(query, range(9), 9))
    assert index.errors() == {a_name(9): 'cut short'} and index.has_baseline
    assert merge_fragments(tmp_path / 'parts', tmp_path / 'out') == Merged(3, 0, 13)
    index.refresh()
    assert index._moments.data.version == version
    write_fragment(tmp_path / 'parts', 'd', rows_of([9]), width=WIDTH, made_by=MADE_BY)
    assert merge_fragments(tmp_path / 'parts', tmp_path / 'out').added == 1  # read at last
    index.refresh()
    assert index.errors() == {} and index.count_windows() == 100


def test_fragments_of_another_model_are_refused(tmp_path):
    write_fragment(tmp_path, 'a', rows_of([0]), width=WIDTH, made_by=MADE_BY)
    write_fragment(tmp_path, 'b', rows_of([1]), width=WIDTH, made_by={**MADE_BY, 'model': 'x'})
    with pytest.raises(ValueError, match='b.fragment.npz was made with another model'):
        merge_fragments(tmp_path, tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='has no fragments'):
        merge_fragments(tmp_path / 'nothing', tmp_path / 'out')
    assert read_fragment(tmp_path / 'a.fragment.npz')[0] == WIDTH
