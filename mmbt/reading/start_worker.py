"""Run as a program, it becomes the reading process of the one that started it.

It loads this package alone, by its folder: ``import mmbt`` takes seconds that it has no use for.
"""
import ctypes
import importlib
import importlib.util
import json
import os
import signal
import socket
import struct
import sys
import traceback
from pathlib import Path
from types import ModuleType

PACKAGE = 'mmbt_reading'
PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, in whatever way."""
    prctl = getattr(ctypes.CDLL(None), 'prctl', None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def load_worker() -> ModuleType:
    """The package's worker, without what the package lies in."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / '__init__.py', submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return importlib.import_module(f'{PACKAGE}.worker')


def main(parent: int, connection: int, memory: int, paths: str) -> None:
    """Read what the parent asks for until it closes the connection.

    Args:
        parent: Its id.
        connection: The descriptor of a socket to it.
        memory: The descriptor of the memory that frames go to.
        paths: Where its Python finds modules, JSON.
    """
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to act on
    sys.path[:] = json.loads(paths)
    end = socket.socket(fileno=connection)
    try:
        worker = load_worker()
    except BaseException:  # as messages.Line sends it, which may be what does not load
        text = json.dumps(['bug', dict(text=traceback.format_exc())]).encode()
        end.sendall(struct.pack('<II', len(text), 0) + text)
        return
    worker.serve(end, memory)


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
