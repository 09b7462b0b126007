"""Small Python programs side by side: limits, failures, and what is left running."""
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from mmbt.lab.ablation import row, schedule
from mmbt.lab.ablation.schedule import Failed, Run, command, run_all
from mmbt.lab.ablation.worlds import WORLDS
from mmbt.lab.forks import Command

from ...support.forked import fork, kill

pytestmark = pytest.mark.slow

# Each writes its own file, and waits for the other's.
MEET = """
import pathlib, sys, time
folder, mine, other, patience = sys.argv[1:]
pathlib.Path(folder, mine).touch()
end = time.time() + float(patience)
while not pathlib.Path(folder, other).exists():
    if time.time() > end:
        print('nobody came\\n')
        sys.exit(1)
    time.sleep(0.01)
"""
# Tells its id, and stays.
STAY = """
import os, pathlib, sys, time
draft = pathlib.Path(sys.argv[1] + '.part')
draft.write_text(str(os.getpid()))
draft.rename(sys.argv[1])
time.sleep(60)
"""
# Starts another that tells its id and stays, and stays itself.
STAY_WITH_ANOTHER = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', {STAY!r}, sys.argv[1]])
time.sleep(60)
"""
# Waits for a file, then ends with an error.
FAIL = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
print('a long story')
raise SystemExit('error: the reason\\n ')
"""


def ignore(title, seconds):
    """Done."""


def python(folder, title, code, *arguments):
    """A command for ``run_all``."""
    return title, told(code, *arguments), folder / 'logs' / f'{title}.txt'


def told(code, *arguments):
    """Some code for a Python of its own."""
    return Command([str(each) for each in arguments], ['-c', code])


def warm(folder, title, work):
    """A command for ``run_all`` that a fork does, as rows are done."""
    return title, Command([title], ['-c', 'raise SystemExit("not a fork")'], work), (
        folder / f'{title}.txt')


def meeting(folder, patience):
    """Two programs that must run at the same time."""
    return [python(folder, 'one', MEET, folder, 'a', 'b', patience),
            python(folder, 'two', MEET, folder, 'b', 'a', patience)]


def is_alive(pid):
    """Whether a process, or what is left of it, is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(holds, patience=20):
    """Wait until something holds; return whether it does."""
    end = time.time() + patience
    while not holds() and time.time() < end:
        time.sleep(0.05)
    return holds()


def has_ended(pid):
    """Whether a process has, though nobody may have asked how."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return not is_alive(pid)
    return state == 'Z'


def test_jobs_run_side_by_side(tmp_path):
    ended = []
    assert run_all(meeting(tmp_path, 20), 2, None, lambda *done: ended.append(done))
    assert sorted(title for title, _ in ended) == ['one', 'two']
    assert all(0 < seconds < 20 for _, seconds in ended)


def test_one_job_at_a_time(tmp_path):
    with pytest.raises(Failed, match='one failed: nobody came'):
        run_all(meeting(tmp_path, 0.3), 1, None, ignore)
    assert not (tmp_path / 'b').exists()  # the second was not started


def test_all_run_in_their_order(tmp_path):
    ended = []
    commands = [python(tmp_path, str(i), 'print("here")') for i in range(3)]
    assert run_all(commands, 1, time.time() + 60, lambda title, _: ended.append(title))
    assert ended == ['0', '1', '2'] and run_all([], 1, 0.0, ignore)


def test_a_failure_stops_the_others_and_says_why(tmp_path):
    told = tmp_path / 'pid'
    commands = [python(tmp_path, 'stays', STAY, told), python(tmp_path, 'fails', FAIL, told),
                python(tmp_path, 'later', STAY, tmp_path / 'later')]
    begin = time.time()
    with pytest.raises(Failed) as error:
        run_all(commands, 2, None, ignore)
    log = tmp_path / 'logs/fails.txt'
    assert str(error.value) == f'fails failed: the reason (all of it in {log})'
    assert not is_alive(int(told.read_text())) and time.time() - begin < 30
    assert not (tmp_path / 'later').exists()
    assert log.read_text().startswith('a long story\n')


def test_one_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, 'PATIENCE', 0.2)
    told = tmp_path / 'pid'
    deaf = 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n' + STAY
    with pytest.raises(Failed):
        run_all([python(tmp_path, 'deaf', deaf, told), python(tmp_path, 'fails', FAIL, told)],
                2, None, ignore)
    assert not is_alive(int(told.read_text()))


@pytest.mark.parametrize('deaf', [False, True])
def test_what_they_started_is_ended_too(deaf, tmp_path, monkeypatch):
    """As the workers that read a row's data."""
    monkeypatch.setattr(schedule, 'PATIENCE', 1.0)
    code = STAY_WITH_ANOTHER
    if deaf:  # and with it the one that it starts
        code = 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n' + code
    told = tmp_path / 'pid'
    with pytest.raises(Failed):
        run_all([python(tmp_path, 'two', code, told), python(tmp_path, 'fails', FAIL, told)],
                2, None, ignore)
    assert wait_until(lambda: has_ended(int(told.read_text())))


@pytest.mark.skipif(sys.platform != 'linux', reason='no other system tells a child')
def test_they_end_where_the_scheduler_is_killed(tmp_path):
    told = tmp_path / 'pid'
    scheduler = fork(lambda: run_all([python(tmp_path, 'stays', STAY, told)], 1, None, ignore))
    try:
        assert wait_until(told.exists)
        pid = int(told.read_text())
        assert not has_ended(pid)
    finally:
        kill(scheduler)
    assert wait_until(lambda: has_ended(pid))


@pytest.fixture
def interruptible():
    """Ctrl-C is heard, also where a shell started the tests with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_them(tmp_path, interruptible):
    told = tmp_path / 'pid'
    commands = [python(tmp_path, 'stays', STAY, told),
                python(tmp_path, 'ends all', f'{FAIL.split("print")[0]}\n'
                       'import os, signal\nos.kill(os.getppid(), signal.SIGINT)\n' + STAY,
                       told, tmp_path / 'second')]
    with pytest.raises(KeyboardInterrupt):
        run_all(commands, 2, None, ignore)
    assert not is_alive(int(told.read_text()))


@pytest.mark.parametrize('code, reason', [
    ('import os, signal; print(1); os.kill(os.getpid(), signal.SIGKILL)', 'killed by signal 9'),
    ('raise SystemExit(1)', 'no output'),
    # torchrun writes a summary behind a process's own words.
    ('print("error: no GPU", "====", sep="\\n"); raise SystemExit(1)', 'no GPU'),
    ('x = [][1]', 'IndexError: list index out of range')])
def test_the_reason_is_of_this_run(code, reason, tmp_path):
    """Not what an earlier one left in the log."""
    (tmp_path / 'logs').mkdir()
    log = tmp_path / 'logs/job.txt'
    log.write_text('before\n')
    with pytest.raises(Failed, match=f'job failed: {reason} '):
        run_all([python(tmp_path, 'job', code)], 1, None, ignore)
    assert log.read_text().startswith('before\n')


def test_nothing_is_started_after_the_deadline(tmp_path):
    ended = []
    commands = [python(tmp_path, title, 'import time; time.sleep(0.6)') for title in 'ab']
    assert not run_all(commands, 1, time.time() - 1, ignore)
    assert not (tmp_path / 'logs').exists()
    # The first outlives the deadline and is let end.
    assert not run_all(commands, 1, time.time() + 0.3, lambda title, _: ended.append(title))
    assert ended == ['a'] and not (tmp_path / 'logs/b.txt').exists()


def test_cores_are_shared_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    show = 'import os; print(os.environ["OMP_NUM_THREADS"])'
    monkeypatch.setattr(schedule.os, 'cpu_count', lambda: 8)
    for given, jobs, threads in ((None, 1, 8), (None, 3, 2), (None, 9, 1), ('5', 2, 5)):
        monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
        if given:
            monkeypatch.setenv('OMP_NUM_THREADS', given)
        run_all([python(tmp_path, f'{jobs}', show),
                 warm(tmp_path, f'{jobs}', lambda words: print(torch.get_num_threads()))],
                jobs, None, ignore)
        for folder in (tmp_path / 'logs', tmp_path):
            assert (folder / f'{jobs}.txt').read_text() == f'{threads}\n'


def test_a_fork_is_a_process_like_another(tmp_path):
    """With a group, a log and an end of its own, and signals as a new Python handles them."""
    before = os.getpgid(0), signal.getsignal(signal.SIGTERM), sys.stdout

    def tell(words):
        os.write(2, b'what C says\n')
        print(words, os.getpgid(0) == os.getpid() == os.getsid(0))
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)
        sys.exit('error: \udcff is no name')
    with pytest.raises(Failed, match='^job failed: .* is no name [(]all of it in '):
        run_all([warm(tmp_path, 'job', tell)], 1, None, ignore)
    assert (tmp_path / 'job.txt').read_bytes().splitlines() == [
        b'what C says', b"['job'] True", b'error: \\udcff is no name']
    assert before == (os.getpgid(0), signal.getsignal(signal.SIGTERM), sys.stdout)


def test_a_row_is_a_fork_or_started_by_torchrun():
    run = Run('table6_branch', 2, Path('runs/x'), Path('seed2'))
    title, alone, log = command(run, WORLDS['webvid'])
    assert (title, log) == ('table6_branch, seed 2', Path('runs/x/log.txt'))
    words = ['table6_branch', '--world', 'webvid', '--seed', '2', '--data', 'seed2', '--folder',
             'runs/x', '--planned', 'x']
    module = ['-m', 'mmbt.lab.ablation.row']
    assert (alone.main, [*alone.program, *alone.words]) == (row.main, [*module, *words])
    _, shared, _ = command(run, WORLDS['webvid'], 8)
    assert shared.main is None and [*shared.program, *shared.words] == [
        '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '8', *module, *words,
        '--launcher', 'pytorch']


def test_a_signal_waits_while_rows_are_started_or_stopped(interruptible):
    done = []
    with pytest.raises(KeyboardInterrupt):
        with schedule.signals_wait():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            done.append('block')
        done.append('after')
    assert done == ['block']
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
