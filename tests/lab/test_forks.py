"""Commands in forks: their ends, and a new Python where a fork cannot use the GPU."""
import os
import sys

import pytest
import torch

from mmbt.lab import forks
from mmbt.lab.forks import Command


@pytest.mark.parametrize('main, status, line', [
    (lambda words: print(*words), 0, 'a b\n'),
    (lambda words: sys.exit('error: no'), 1, 'error: no\n'),
    (lambda words: sys.exit(3), 3, ''), (lambda words: sys.exit(), 0, '')])
def test_a_fork_ends_as_the_command_does(main, status, line, capfd):
    assert forks.run(Command(['a', 'b'], ['-c', ''], main)) == status
    said = capfd.readouterr()
    assert said.out + said.err == line


def test_a_fault_in_a_fork_shows_its_traceback(capfd):
    assert forks.run(Command([], [], lambda words: 1 / 0)) == 1
    assert capfd.readouterr().err.endswith('ZeroDivisionError: division by zero\n')


@pytest.mark.parametrize('gpus, bad, said', [
    (True, True, 'anew a b'), (True, False, 'here a b'), (False, True, 'here a b')])
def test_a_fork_that_cannot_use_the_gpus_begins_anew(gpus, bad, said, monkeypatch, capfd):
    """Where there are none it need not."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus)
    monkeypatch.setattr(torch.cuda, '_is_in_bad_fork', lambda: bad)
    program = ['-c', 'import sys; print("anew", *sys.argv[1:])']
    assert forks.run(Command(['a', 'b'], program, lambda words: print('here', *words))) == 0
    assert capfd.readouterr().out == f'{said}\n'


def test_there_is_no_fork_where_cuda_is_in_use(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
    with pytest.raises(AssertionError, match='CUDA is in use'):
        forks.run(Command([], [], print))


def test_a_fork_is_prepared_before_it_is_there(tmp_path):
    process = forks.start(Command([], [], lambda words: os._exit(7)), (tmp_path / 'a').touch)
    assert (tmp_path / 'a').exists()
    process.join()
    assert process.exitcode == 7
