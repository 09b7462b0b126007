"""tools/benchmark.py memory: what a GPU would hold, against sums by hand."""
import json

import pytest

from mmbt.lab.benchmark.memory import estimate_row, memory_as_text
from mmbt.lab.benchmark.settings import Settings

from .test_tool import ARCH, arch, read, run  # noqa: F401  arch is a fixture

pytestmark = pytest.mark.slow

# By hand: a text tower of one layer, a vision tower of two and a branch of one, all of width 16.
LAYER = (3 * 16 * 16 + 3 * 16) + (16 * 16 + 16) + 2 * (16 * 64) + 64 + 16 + 4 * 16
VISION = 2 * LAYER + 3 * 4 * 4 * 16 + 16 + 10 * 16 + 4 * 16 + 16 * 12
TEXT = LAYER + 60 * 16 + 40 * 16 + 2 * 16 + 16 * 12
BUFFERS = 40 * 40 + 6  # the text tower's mask; mean and deviation of three colours


def settings(**change):
    return Settings(**{**dict(
        command='train', arch=ARCH, precision='fp32', device='cpu', variant='paper', batch=3,
        frames=4, layers=1, mask_ratio=0.7, tokens=8, steps=1, warmup=0), **change})


def test_weights_by_hand():
    temporal = (3 * 16 * 16 + 3 * 16) + 2 * (16 * 16 + 16) + 2 * 16
    branch = temporal + LAYER + 16 + 4 * 16 + 16  # CLS, time, the output's gate
    trained = branch + 16 * 12  # and MBTA's projection
    row = estimate_row(settings())
    assert row['gradients'] == 4 * trained
    assert row['optimizer'] == 2 * 4 * trained
    assert row['weights'] == 4 * (VISION + TEXT + trained + BUFFERS)
    assert row['total'] == max(row['forward'], row['kept'] + 4 * trained) + 8 * trained


def test_what_is_kept_of_a_clip():
    """Equal shares for each clip; nothing is kept of what the branch does not see."""
    def of_clips(first, last, **change):
        kept = [estimate_row(settings(batch=batch, **change))['kept'] for batch in (first, last)]
        return (kept[1] - kept[0]) / (last - first)

    clip = of_clips(3, 6)
    assert of_clips(6, 9) == pytest.approx(clip, rel=0.02)
    assert of_clips(3, 6, mask_ratio=0.) > 1.5 * clip
    assert of_clips(3, 6, precision='bf16') < 0.82 * clip  # MBTA's share stays in float32


def test_encoding_keeps_no_gradients():
    row = estimate_row(settings(command='infer', mask_ratio=None, tokens=None))
    assert row['total'] == row['forward'] > row['weights'] and 'kept' not in row


def test_the_tool_shows_a_row_for_each_combination(arch, monkeypatch, capsys):  # noqa: F811
    assert run(monkeypatch, 'memory', '--arch', arch, '--layers', 1, '--frames', 2, '--batch', 1, 2,
               '--precision', 'bf16', 'fp32', '--json', 'out/memory.json') is None
    rows = read('out/memory.json')['rows']
    assert [(r['settings']['precision'], r['settings']['batch']) for r in rows] == [
        ('bf16', 1), ('bf16', 2), ('fp32', 1), ('fp32', 2)]
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 6 and 'followed without a GPU' in shown[0]
    assert shown[2].endswith(f"| {rows[0]['total'] / 2**30:.2f}")
    assert run(monkeypatch, 'memory', '--arch', arch, '--layers', 1, '--infer') is None
    assert memory_as_text(json.loads(json.dumps(dict(
        versions=dict(torch='2'), rows=rows)))).startswith('memory: train, custom architecture')


def test_bad_input_is_one_line(arch, monkeypatch):  # noqa: F811
    line = run(monkeypatch, 'memory', '--arch', arch, '--layers', 3)
    assert 'num_layers of the branch must lie in 1..2' in line and '\n' not in line
