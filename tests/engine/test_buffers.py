"""A tool's process keeps the memory that it frees."""
import ctypes
import os
import platform
import resource

import pytest
import torch

from mmbt.engine.launch import M_MMAP_MAX, M_TRIM_THRESHOLD, keep_buffers, run_tool
from mmbt.files.atomic import whole_file

from ..support.forked import ForkServer, wait_until

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')

M_MMAP_THRESHOLD = -3


def use():
    """16 MB, taken and freed 20 times."""
    for _ in range(20):
        torch.zeros(4_000_000).add_(1)


def work(variables, place):
    """Write the page faults of a tool's second use, and whether buffers are kept."""
    for name in [name for name in os.environ
                 if name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES']:
        del os.environ[name]
    os.environ.update(variables)
    mallopt = ctypes.CDLL(None).mallopt  # as in a new process, whatever tools ran here before
    assert mallopt(M_TRIM_THRESHOLD, 2**17) and mallopt(M_MMAP_MAX, 2**16)
    assert mallopt(M_MMAP_THRESHOLD, 2**17)
    torch.set_num_threads(1)

    def tell():
        use()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        use()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        with whole_file(place) as draft:
            draft.write_text(f'{faults} {keep_buffers()}')

    run_tool(tell)


# Made before tests run, which leave room in the heap that no buffer need be asked for.
SERVER = ForkServer(work)


def measure(place, **variables):
    """The page faults of a tool's second use, and whether buffers are kept."""
    SERVER.start(variables, str(place))
    wait_until(place.exists)
    faults, kept = place.read_text().split()
    return int(faults), kept


@pytest.mark.slow
def test_buffers_are_kept_unless_the_user_says_otherwise(tmp_path):
    pages = 20 * 16_000_000 // 4096
    faults, kept = measure(tmp_path / 'kept')
    assert kept == 'True' and faults < pages / 20
    faults, kept = measure(tmp_path / 'not', MALLOC_MMAP_THRESHOLD_='131072')
    assert kept == 'False' and faults > pages / 2


def test_the_user_s_own_settings_are_left_alone(monkeypatch):
    monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=1')
    assert not keep_buffers()


def test_a_machine_with_a_gpu_gives_them_back(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    assert not keep_buffers()
