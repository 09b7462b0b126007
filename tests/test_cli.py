"""The ``mmbt`` command: its list, its parsers, and what they cost."""
import subprocess
import sys
from pathlib import Path

import pytest

from mmbt import cli
from mmbt.cli.options import cfg_options, pick_device
from mmbt.version import __version__

from .support.tools import MMBT, ROOT, run

HEAVY = ('torch', 'mmengine', 'numpy', 'mmbt')
TOOLS = {'convert': 'convert_checkpoint', 'bench': 'benchmark', 'prepare': 'data/prepare',
         'prepare shards': 'data/make_shards', 'prepare world': 'data/make_world',
         'check': 'data/check_videos'}
ALL = [*cli.COMMANDS, 'prepare shards', 'prepare world']


def test_no_parser_imports_what_is_slow():
    """All of them in one process, as ``tools/mmbt`` loads them."""
    code = f"""import runpy, sys
tool = runpy.run_path({str(MMBT)!r})
cli = tool['load_cli'](tool['find_cli']())
for name in cli.COMMANDS:
    cli.parser_of(name, cli.load(name)).format_help()
print(cli.overview())
print([name for name in {HEAVY} if name in sys.modules])"""
    said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert said.stdout.endswith('\n[]\n')
    assert all(f'  {name} ' in said.stdout for name in cli.COMMANDS)


@pytest.mark.parametrize('name', cli.COMMANDS)
def test_a_command_says_how_it_is_used(name, monkeypatch, capsys):
    """Its help begins with an example of itself."""
    assert run(monkeypatch, name, '--help') == 0
    said = capsys.readouterr().out
    assert said.startswith(f'usage: mmbt {name} ') and f'\n    mmbt {name}' in said


@pytest.mark.parametrize('words, line', [
    ('serach x', "error: mmbt has no command 'serach': did you mean search?"),
    ('xyzzy', "error: mmbt has no command 'xyzzy'; there are train, test, search, ")])
def test_an_unknown_command_is_one_line(words, line, monkeypatch):
    end = run(monkeypatch, words)
    assert end.startswith(line) and '\n' not in end


def test_the_list_and_the_version(monkeypatch, capsys):
    assert cli.main(['--version']) is None
    assert capsys.readouterr().out == f'mmbt {__version__}\n'
    monkeypatch.setattr('sys.argv', ['mmbt'])
    assert cli.main() is None and cli.main(['--help']) is None
    assert capsys.readouterr().out == 2 * f'{cli.overview()}\n'


@pytest.mark.parametrize('words', ALL)
def test_a_tool_of_each_command_is_found_by_its_path(words, monkeypatch, capsys):
    """As mim and torchrun run it; it puts the command's words first."""
    tool = ROOT / 'tools' / f'{TOOLS.get(words, words)}.py'
    monkeypatch.setattr('sys.argv', [str(tool), '--help'])
    with pytest.raises(SystemExit, match='^0$'):
        exec(compile(tool.read_text(), str(tool), 'exec'),
             {'__name__': '__main__', '__file__': str(tool)})
    assert capsys.readouterr().out.startswith(f'usage: mmbt {words} ')


def test_every_tool_is_of_a_command():
    tools = {path.relative_to(ROOT / 'tools').with_suffix('').as_posix()
             for path in Path(ROOT / 'tools').rglob('*.py')}
    assert tools - {'where_weights_are'} == {TOOLS.get(words, words) for words in ALL}


@pytest.mark.parametrize('words, found', [
    ([], {}), (['a.b=1', 'c=[1,2]', 'd=x=y'], {'a.b': 1, 'c': [1, 2], 'd': 'x=y'})])
def test_options_are_read_as_mmengine_does(words, found):
    assert cfg_options(words) == found


def test_an_option_without_a_value_is_one_line(monkeypatch, tmp_path):
    (tmp_path / 'a.py').write_text('model = dict()\n')
    end = run(monkeypatch, 'chat', tmp_path / 'a.py', 'b.mp4', '--cfg-options', 'model.dtype')
    assert end.startswith('error: --cfg-options model.dtype: settings are written KEY=VALUE')


def test_a_device_that_is_not_there_is_one_line():
    with pytest.raises(ValueError, match='--device moon cannot be used: '):
        pick_device('moon')
