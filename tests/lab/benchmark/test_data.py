"""The benchmark of reading: every way on every kind of clip, and its table. No speed is judged."""
import pytest

from mmbt.lab.benchmark.data import GROUPS, STAGES, data_as_text, run_data_benchmark, ways

pytestmark = pytest.mark.slow


def test_every_way_has_a_row():
    report = run_data_benchmark(clips=1, repeats=1, seconds=1)
    rows = report['rows']
    assert [(row['group'], row['way']) for row in rows] == [
        (group, way) for group in GROUPS for way in ways(4)]
    for row in rows:
        assert row['seconds'] > 0 and sum(row['share'].values()) == pytest.approx(1)
        assert set(row['share']) == set(STAGES) and min(row['share'].values()) >= 0
        assert row['clips_per_second'] == pytest.approx(1 / row['seconds'])
        assert row['cpu'] > 0 and row['cpu_of_released'] > 0
        if row['way'] == 'released':
            assert row['gain'] == row['cpu_of_released'] == 1
        if row['way'] == 'in process':
            assert row['cpu_of_in_process'] == 1
    lines = data_as_text(report).splitlines()
    assert len(lines) == 4 + len(rows) and 'released' in lines[4] and 'shards' in lines[-1]


def test_nothing_to_time():
    with pytest.raises(ValueError, match='clips must be at least 1, got 0'):
        run_data_benchmark(clips=0)
