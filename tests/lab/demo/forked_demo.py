"""``mmbt demo`` with each step in a fork of one process, which has imported mmbt.

That import, and taking it down in the end, is most of a small step's time, and there are seven.
"""
import os
import runpy
import sys
from types import SimpleNamespace

from mmbt import cli
from mmbt.lab.demo import run as steps


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
    steps.subprocess = SimpleNamespace(run=run)
    cli.main(['demo', *sys.argv[1:]])
