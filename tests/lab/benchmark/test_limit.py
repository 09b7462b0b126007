"""What the limit and the rates are made of; nothing here asserts a speed."""
import time

import pytest
import torch

from mmbt.lab.benchmark import machine
from mmbt.lab.benchmark.flops import Sizes
from mmbt.lab.benchmark.limit import Limit, timed
from mmbt.lab.benchmark.run import rates, relate

SIZES = Sizes(16, 64, 4, 9, 48, 12, 16, 64, 2, 8)


def test_the_better_of_two_probes_counts(monkeypatch):
    seconds = iter([4., 4., 4., 4., 2., 8., 8., 8.])
    monkeypatch.setattr('mmbt.lab.benchmark.limit.timed',
                        lambda *args, **kwargs: [next(seconds), 9.])
    limit = Limit(SIZES, 30, torch.float32, 'cpu')
    limit.shapes[-1] = (8, 8, 8)
    limit.probe()
    limit.probe()
    assert limit.shapes[:3] == [(30, 16, 48), (30, 16, 64), (30, 64, 16)]
    assert limit.rates['30x16x64'] == 2 * 30 * 16 * 64 / 4
    assert limit.rate == limit.rates['30x16x48'] == 2 * 30 * 16 * 48 / 2


def test_sustained_is_all_operations_by_all_seconds(monkeypatch):
    """Two runs each of 4 and 9 s for three shapes; the square one, of the machine, is left out."""
    monkeypatch.setattr('mmbt.lab.benchmark.limit.timed', lambda *args, **kwargs: [4., 9.])
    limit = Limit(SIZES, 30, torch.float32, 'cpu')
    limit.shapes[-1] = (8, 8, 8)
    assert limit.sustained == 0
    limit.probe()
    operations = 2 * 2 * 30 * 16 * (48 + 64 + 64)
    assert limit.sustained == pytest.approx(operations / (3 * 13))


def test_rates_follow_from_the_median():
    row = rates([3., 1., 2., 50.], batch=5, flops=100)
    assert row['seconds']['median'] == 2.5 and row['seconds']['min'] == 1.
    assert row['clips_per_second'] == 2 and row['flops_per_second'] == 40
    assert rates([2.], 1, 1)['seconds']['spread'] == 0


def test_each_row_is_compared_with_the_limit_of_its_precision():
    limits = {name: Limit(SIZES, 30, torch.float32, 'cpu') for name in ('fp32', 'bf16')}
    limits['fp32'].rates, limits['bf16'].rates = {'a': 100., 'b': 50.}, {'a': 400.}
    for limit in limits.values():
        limit.operations, limit.seconds = 160., 2.
    rows = [dict(settings=dict(precision=name), flops_per_second=50., seconds=dict(min=1.),
                 flops=dict(total=75)) for name in limits]
    relate(dict(rows=rows), limits)
    assert [row['fraction_of_limit'] for row in rows] == [0.5, 0.125]
    assert rows[0]['fraction_of_least'] == 0.75
    assert rows[0]['fraction_of_sustained'] == 50 / 80


def test_a_sample_is_the_rate_at_that_moment(monkeypatch):
    """One product of each of the trunk's shapes, in 4 s each; it counts for the average too."""
    monkeypatch.setattr('mmbt.lab.benchmark.limit.timed', lambda *args, **kwargs: [4.])
    limit = Limit(SIZES, 30, torch.float32, 'cpu')
    limit.operations, limit.seconds = 1e9, 1.
    operations = 2 * 30 * 16 * (48 + 64 + 64)
    assert limit.sample() == operations / 12
    assert (limit.operations, limit.seconds) == (1e9 + operations, 13.)


def test_each_step_is_compared_with_the_rate_around_it():
    """A machine that slows down by half in between is not the step's fault."""
    limit = Limit(SIZES, 30, torch.float32, 'cpu')
    limit.rates, limit.operations, limit.seconds = {'a': 100.}, 1., 1.
    row = dict(settings=dict(precision='fp32'), flops=dict(total=100), flops_per_second=50.,
               seconds=dict(min=1.25, steps=[1.25, 1.25, 2.5]), beside=[100., 100., 50., 50.])
    relate(dict(rows=[row]), dict(fp32=limit))
    assert row['fraction_of_sustained'] == 0.8  # of 0.8, 100 / 1.25 / 75 and 0.8


def test_what_runs_between_is_not_timed():
    done = []
    seconds = timed(lambda: done.append('work'), 2, 'cpu', warmup=1,
                    between=lambda: (done.append('between'), time.sleep(0.2)))
    assert done == ['work', 'between', 'work', 'between', 'work', 'between']
    assert max(seconds) < 0.2


@pytest.mark.parametrize('line, skipped', [
    ('flags : fpu avx2 fma', True),
    ('flags : fpu avx2 avx512_bf16', False),
    ('flags : amx_bf16 fpu', False),
    ('Features : fp bf16', False),
    ('', True),
])
def test_bf16_needs_a_cpu_with_units_for_it(tmp_path, monkeypatch, line, skipped):
    path = tmp_path / 'cpuinfo'
    path.write_text(f'processor : 0\n{line}\nmodel name : test\n')
    found = machine.cpu_flags(str(path))
    monkeypatch.setattr(machine, 'cpu_flags', lambda: found)
    assert bool(machine.why_skipped('bf16', 'cpu')) is skipped
    assert machine.why_skipped('fp32', 'cpu') is machine.why_skipped('bf16', 'cuda') is None


def test_a_system_without_proc(tmp_path, monkeypatch):
    assert machine.cpu_info('flags', str(tmp_path / 'none')) is None
    monkeypatch.setattr(machine, 'process_status', lambda key: None)
    monkeypatch.setattr(machine, 'reset_peak', lambda: False)
    memory = machine.Memory('cpu').peak()
    assert memory['resident'] > 1e6 and memory['since_start']
