"""The tools, run in the process of a test."""
import importlib.util
import sys
from pathlib import Path

from mmengine.visualization import Visualizer

ROOT = Path(__file__).parents[2]


def load_tool(name):
    """Import a script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(monkeypatch, name, *args):
    """Run a tool in this process; return what it would print on stderr, None where it succeeds."""
    Visualizer._instance_dict.clear()  # kept by the second, of which tests have several runs
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, args)])
    try:
        load_tool(name).main()
    except SystemExit as end:
        return end.code
    return None
