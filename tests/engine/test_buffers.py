"""A tool's process keeps the memory that it frees."""
import os
import platform
import subprocess
import sys

import pytest

from mmbt.engine.launch import keep_buffers

pytestmark = [pytest.mark.slow, pytest.mark.skipif(platform.libc_ver()[0] != 'glibc',
                                                   reason='needs glibc')]

# 16 MB, taken and freed 20 times, and the pages that the system gave for it meanwhile.
WORK = """
import resource, torch
from mmbt.engine.launch import keep_buffers, run_tool

def use():
    for _ in range(20):
        torch.zeros(4_000_000).add_(1)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    use()
    before = faults()
    use()
    print(faults() - before, keep_buffers())

run_tool(work)
"""


def measure(**variables):
    """The page faults of the second use, and whether buffers are kept."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith('MALLOC_') and k != 'GLIBC_TUNABLES'}
    done = subprocess.run([sys.executable, '-c', WORK], env={**env, **variables}, text=True,
                          capture_output=True, check=True)
    faults, kept = done.stdout.split()
    return int(faults), kept


def test_buffers_are_kept_unless_the_user_says_otherwise():
    pages = 20 * 16_000_000 // 4096
    faults, kept = measure()
    assert kept == 'True' and faults < pages / 20
    faults, kept = measure(MALLOC_MMAP_THRESHOLD_='131072')
    assert kept == 'False' and faults > pages / 2


def test_the_user_s_own_settings_are_left_alone(monkeypatch):
    monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=1')
    assert not keep_buffers()


def test_a_machine_with_a_gpu_gives_them_back(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    assert not keep_buffers()
