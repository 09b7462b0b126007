"""Commands run in forks of this process, which has imported mmbt: each would pay for that anew.

A fork cannot use a GPU that its parent has asked about by way of CUDA, as importing mmbt may do.
Such a fork turns into a new Python that is told the same. With ``PYTORCH_NVML_BASED_CUDA_CHECK=1``
in the environment torch asks by another way.
"""
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

FORK = multiprocessing.get_context('fork')


@dataclass(frozen=True)
class Command:
    """What is to be done, told in two ways.

    Attributes:
        words: The words of its command line.
        program: What ``python`` is told before the words.
        main: Does the same in a process that has imported it; None where it is to be a new one.
    """

    words: Sequence[str]
    program: Sequence[str]
    main: Callable[[list[str]], object] | None = None


def start(command: Command, prepare: Callable[[], None] | None = None) -> BaseProcess:
    """Start a command in a fork of this process, which must not have computed with threads.

    Args:
        command: What it does. Its exit status is that of a Python program: 1 where ``main`` raises,
            after the traceback.
        prepare: Called in the fork first; it has returned when this function does.
    """
    import torch
    assert not torch.cuda.is_initialized(), 'CUDA is in use here, which no fork can go on with'
    on_gpu = torch.cuda.is_available()
    reader, writer = os.pipe()
    process = FORK.Process(target=_begin, args=(command, prepare, on_gpu, (reader, writer)))
    process.start()
    os.close(writer)
    os.read(reader, 1)  # until the fork has closed its end
    os.close(reader)
    return process


def run(command: Command) -> int:
    """Run a command in a fork of this process; return its exit status."""
    process = start(command)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _begin(command: Command, prepare: Callable[[], None] | None, on_gpu: bool,
           pipe: Sequence[int]) -> None:
    """In the fork: be prepared, then do what the command says."""
    import torch
    gc.freeze()  # what was imported is shared with the parent, until a collection would touch it
    _handle_signals_as_at_the_start()
    if prepare is not None:
        prepare()
    for end in pipe:
        os.close(end)
    if command.main is None or on_gpu and torch.cuda._is_in_bad_fork():
        os.execv(sys.executable, [sys.executable, *command.program, *command.words])
    command.main(list(command.words))


def _handle_signals_as_at_the_start() -> None:
    """Handle signals as a new Python does: what was ignored stays so."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler),
                            (signal.SIGTERM, signal.SIG_DFL), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
