"""tools/demo.py with each step in a fork of one process, which has imported mmbt.

That import, and taking it down in the end, is most of a small step's time, and there are seven.
"""
import importlib.util
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import mmbt  # noqa: F401

TOOL = Path(__file__).parents[3] / 'tools/demo.py'


def run(command):
    """Stand in for ``subprocess.run`` where the command is ``[python, file, argument, ...]``."""
    process = os.fork()
    if process:
        return SimpleNamespace(returncode=os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    sys.argv = command[1:]
    runpy.run_path(command[1], run_name='__main__')
    sys.stdout.flush()
    os._exit(0)


if __name__ == '__main__':
    spec = importlib.util.spec_from_file_location('tool_demo', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.subprocess = SimpleNamespace(run=run)
    tool.main()
