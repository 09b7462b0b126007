"""The ``mmbt`` command, run in the process of a test."""
import importlib.util
from pathlib import Path

from mmengine.visualization import Visualizer

from mmbt.cli import load as load_command
from mmbt.cli import main
from mmbt.cli import parse as parse_words

ROOT = Path(__file__).parents[2]
MMBT = ROOT / 'tools/mmbt'


def load_tool(path):
    """Import a script, such as one of MMAction2's tools, as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path.with_suffix('.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(monkeypatch, command, *args):
    """Run ``mmbt COMMAND ...`` here; return what it ends with, None where it succeeds.

    Args:
        monkeypatch: To undo what a run changes of this process.
        command: Its words, such as ``'search'`` or ``'prepare shards'``, or the path of a script.
        args: What else the command line has.
    """
    Visualizer._instance_dict.clear()  # kept by the second, of which tests have several runs
    words = list(map(str, args))
    try:
        if isinstance(command, Path):
            monkeypatch.setattr('sys.argv', [str(command), *words])
            load_tool(command).main()
        else:
            main([*command.split(), *words])
    except SystemExit as end:
        return end.code
    return None


def parse(command, *args):
    """What the parser of a sub-command makes of its arguments."""
    name, *rest = command.split()
    return parse_words(name, load_command(name), [*rest, *map(str, args)])
