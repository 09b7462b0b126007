"""Work done in a fork of the test's process, which has imported everything: killed, or limited."""
import contextlib
import functools
import gc
import io
import json
import os
import resource
import runpy
import signal
import sys
import time
import traceback


def fork(work):
    """Start ``work`` in a fork that leads a process group; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        gc.freeze()  # shared with the parent, until a collection would touch it
        os.setsid()
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def fork_until_told(work):
    """The same, once ``work`` has called what it is given; as (process id, pipe's end)."""
    reader, writer = os.pipe()

    def told():
        os.write(writer, b'.')

    child = fork(lambda: work(told))
    os.close(writer)
    assert os.read(reader, 1) == b'.'
    os.close(reader)
    return child


def kill(child):
    """End a fork as a power cut would."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def kill_group(child):
    """End a fork and what it has started, and see them end."""
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: is_gone(-child))


def finish(child):
    """Wait for a fork, which must end well."""
    _, status = os.waitpid(child, 0)
    assert status == 0


def run_limited(work, largest=None):
    """Run a tool's ``work`` in a fork.

    Args:
        work: Returns, or exits as tools do.
        largest: Bytes that a file may have, in the place of a disk that is full.

    Returns:
        What ``sys.exit`` was given, or 0; and the lines of stdout and stderr.
    """
    reader, writer = os.pipe()

    def limited():
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(number, 'w'), write_through=True)
                                  for number in (1, 2))
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        code = 0
        try:
            work()
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = traceback.format_exc()
        with contextlib.suppress(OSError):
            print(f'\nended: {code}')
        os._exit(0)

    child = fork(limited)
    os.close(writer)
    with open(reader, encoding='utf-8', errors='surrogateescape') as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    lines, _, code = said.rpartition('\nended: ')
    return code.strip(), [line for line in lines.splitlines() if line.strip()]


class ForkServer:
    """A fork of this process as it is now, which forks in its turn whenever it is asked.

    Some libraries, Lance among them, bear no fork of a process that has used them: make this before
    any test runs, where a module of tests is imported. It ends with this process.

    Args:
        work: What its forks run, with what :meth:`start` is given.
        prepare: Run once, in the server: what is imported there is there in all its forks.
    """

    def __init__(self, work, prepare=lambda: None):
        asked, self._ask = os.pipe()
        self._answers, answer = os.pipe()
        if os.fork():
            os.close(asked)
            os.close(answer)
            return
        os.close(self._ask)
        os.close(self._answers)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # its dead vanish
        try:
            prepare()
            for line in os.fdopen(asked):
                def job(args):
                    os.close(answer)
                    os.close(asked)
                    work(*args)
                child = fork(functools.partial(job, json.loads(line)))
                os.write(answer, f'{child}\n'.encode())
        finally:
            os._exit(0)

    def start(self, *args):
        """Run the work with values that JSON has; return the process's id."""
        os.write(self._ask, json.dumps(args).encode() + b'\n')
        return int(os.read(self._answers, 100))


def wait_until(condition, seconds=60):
    """Wait for a condition; fail where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(.002)


def is_gone(process):
    """Whether a process that is no child of this one has ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def kill_other(process):
    """End a process that is no child of this one, as a power cut would, and see it end."""
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: is_gone(process))


def run_script(script, *args):
    """Run a script in a fork as ``python SCRIPT ...``; what it ends with as :func:`run_limited`."""
    def work():
        sys.argv = [str(script), *map(str, args)]
        runpy.run_path(str(script), run_name='__main__')
    return run_limited(work)
