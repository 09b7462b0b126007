"""tools/benchmark.py end to end on a tiny model."""
import json
from pathlib import Path

import pytest
import torch

from mmbt.lab.benchmark import machine
from mmbt.lab.benchmark.report import compiled_line

from ...support.forked import run_script
from ...support.tools import MMBT
from ...support.tools import run as run_command

pytestmark = pytest.mark.slow

ARCH = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=2, head_width=8),
    text_cfg=dict(context_length=40, vocab_size=60, width=16, heads=2, layers=1),
    quick_gelu=True)
TINY = ('--frames', '2', '--layers', '1', '--steps', '2', '--warmup', '1', '--device', 'cpu')


@pytest.fixture
def arch(tmp_path, monkeypatch):
    """A file with a tiny architecture, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    monkeypatch.setattr('mmbt.lab.benchmark.limit.SQUARE', dict(cpu=32))
    Path('arch.json').write_text(json.dumps(ARCH))
    return 'arch.json'


def run(monkeypatch, *args):
    """Run the tool in this process; the one line of an error, None where it succeeds."""
    return run_command(monkeypatch, 'bench', *args)


def read(path='report.json'):
    """The report of a run."""
    return json.loads(Path(path).read_text())


def check_rows(report):
    """Whatever is derived agrees with what it is derived from."""
    assert report['versions']['torch'] == torch.__version__ and report['machine']['cpu']
    for row in report['rows']:
        median, flops = row['seconds']['median'], row['flops']
        assert flops['total'] == sum(flops.values()) - flops['total']
        assert row['clips_per_second'] == pytest.approx(row['settings']['batch'] / median)
        assert row['flops_per_second'] == pytest.approx(flops['total'] / median)
        assert row['limit'] == report['limits']['fp32']['rate']
        assert row['fraction_of_limit'] == pytest.approx(flops['total'] / median / row['limit'])
        assert row['memory']['resident'] > row['memory']['added'] >= 0
        assert row['host_sync']['step'] == 'not applicable'


def test_each_command_in_a_process_of_its_own(arch):
    for command in ('train', 'infer'):
        code, lines = run_script(MMBT, 'bench', command, '--arch', arch, *TINY,
                                 '--json', f'out/{command}.json')
        assert code == '0', lines
        report = read(f'out/{command}.json')
        check_rows(report)
        assert command == report['command'] and len(report['rows']) == 1
        assert 'of limit' in '\n'.join(lines) and len(lines) == 4


def test_lists_are_a_row_for_each_combination(arch, monkeypatch, capsys):
    assert run(monkeypatch, 'train', '--arch', arch, *TINY, '--batch', 1, 2, '--mask-ratio', 0, 0.7,
               '--variant', 'released', '--json', 'report.json') is None
    report = read()
    check_rows(report)
    seen = [(row['settings']['mask_ratio'], row['settings']['batch']) for row in report['rows']]
    assert seen == [(0, 1), (0, 2), (0.7, 1), (0.7, 2)]
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_a_cpu_without_bf16_is_skipped(arch, monkeypatch, capsys):
    monkeypatch.setattr(machine, 'cpu_flags', lambda: {'avx2'})
    assert run(monkeypatch, 'train', '--arch', arch, *TINY, '--precision', 'bf16', '--json',
               'report.json') is None
    assert 'no bf16 units' in read()['rows'][0]['skipped'] and read()['limits'] == {}
    assert 'skipped: this CPU has no bf16 units' in capsys.readouterr().out


@pytest.mark.parametrize('command, parts', [
    ('train', {'preprocess', 'trunk', 'branch', 'text', 'heads', 'backward', 'optimizer'}),
    ('infer', {'preprocess', 'trunk', 'branch'}),
])
def test_a_profile_tells_the_parts_apart(arch, monkeypatch, capsys, command, parts):
    assert run(monkeypatch, command, '--arch', arch, *TINY, '--profile', 'traces', '--json',
               'report.json') is None
    profile = read()['rows'][0]['profile']
    assert parts <= set(profile['parts']) <= parts | {'other'}
    assert json.loads(Path(profile['trace']).read_text())['traceEvents']
    assert sum(profile['parts'].values()) * profile['listed'] == pytest.approx(
        sum(row['seconds'] for row in profile['operators']))
    assert 'seconds a step by part' in capsys.readouterr().out


def test_a_compiler_that_fails_is_one_line(arch, monkeypatch, capsys):
    def no_compiler(forward):
        def call(*args, **kwargs):
            raise RuntimeError('InvalidCxxCompiler: none of g++, clang\nmore')
        return call

    monkeypatch.setattr(torch, 'compile', no_compiler)
    assert run(monkeypatch, 'infer', '--arch', arch, *TINY, '--compile', '--json',
               'report.json') is None
    assert read()['rows'][0]['compiled'] == dict(
        error='RuntimeError: InvalidCxxCompiler: none of g++, clang')
    assert 'compiled: failed, RuntimeError: InvalidCxx' in capsys.readouterr().out


def test_what_compilation_brought_is_one_line(arch, monkeypatch, capsys):
    monkeypatch.setattr(torch, 'compile', lambda forward: forward)
    assert run(monkeypatch, 'train', '--arch', arch, *TINY, '--compile', '--json',
               'report.json') is None
    compiled = read()['rows'][0]['compiled']
    eager = read()['rows'][0]['seconds']['median']
    assert compiled['gain'] == pytest.approx(eager / compiled['seconds'] - 1)
    assert '0 graph breaks' in capsys.readouterr().out
    line = compiled_line(dict(compiled, graph_breaks={'item': 2}))
    assert line.endswith('2 graph breaks (item)')


@pytest.mark.parametrize('args, line', [
    (('--arch', 'nope.json'), 'architecture nope.json is missing'),
    (('--arch', 'ViT-B16'), 'unknown arch'),
    (('--arch', 'arch.json', '--layers', 3), 'num_layers of the branch must lie in 1..2'),
    (('--arch', 'arch.json', '--layers', 1, '--mask-ratio', 1), 'mask ratio must lie in'),
    (('--arch', 'arch.json', '--batch', 0), 'batch must be at least 1'),
    (('--arch', 'arch.json', '--layers', 1, '--tokens', 41), 'the text tower takes token ids'),
])
def test_bad_input_is_one_line(arch, monkeypatch, args, line):
    message = run(monkeypatch, 'train', *args, '--device', 'cpu', '--steps', 1, '--warmup', 0)
    assert message.startswith('error: ') and line in message and '\n' not in message


def test_an_arch_file_without_a_dict(arch, monkeypatch):
    for text, line in (('[1]', 'must hold a dict'), ('{', 'bad.json line 1 is not valid JSON')):
        Path('bad.json').write_text(text)
        assert line in run(monkeypatch, 'infer', '--arch', 'bad.json')
