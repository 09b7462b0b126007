"""tools/demo.py: how it runs its steps."""
import importlib.util
import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / 'tools/demo.py'


@pytest.fixture
def tool():
    """The tool as a module."""
    spec = importlib.util.spec_from_file_location('tool_demo', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_a_step_keeps_its_buffers_unless_the_user_says_otherwise(tool, monkeypatch, tmp_path):
    out = tmp_path / 'out'
    code = f"""import os
names = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'MINE')
open({str(out)!r}, 'w').write(' '.join([os.getcwd(), *(os.environ[name] for name in names)]))"""
    monkeypatch.delenv('MALLOC_TRIM_THRESHOLD_', raising=False)
    monkeypatch.setenv('MALLOC_MMAP_THRESHOLD_', '7')
    monkeypatch.setenv('MINE', 'here')
    assert tool.run('a step', '-c', code) > 0
    assert out.read_text() == f'{TOOL.parents[1]} 7 4294967296 here'


def test_a_failed_step_is_one_line(tool, monkeypatch):
    monkeypatch.setattr(subprocess, 'run', lambda *args, **kwargs: subprocess.CompletedProcess(
        args, returncode=3))
    with pytest.raises(SystemExit) as end:
        tool.run('a step', 'tools/train.py')
    assert end.value.code == 'error: a step failed, see above'
