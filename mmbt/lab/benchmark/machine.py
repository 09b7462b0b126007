"""What a benchmark ran on, and what memory it took."""
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from mmbt.version import __version__

BF16_UNITS = {'amx_bf16', 'avx512_bf16', 'bf16'}  # Intel's, AMD's and Intel's, ARM's
PACKAGES = ('mmengine', 'mmaction2', 'open_clip_torch', 'timm')


def describe_machine(device: str) -> dict:
    """Names, versions and settings that a rate depends on."""
    info: dict = dict(
        cpu=cpu_info('model name') or platform.processor() or platform.machine(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        malloc={key: value for key, value in os.environ.items() if key.startswith('MALLOC_')})
    if device == 'cuda':
        info.update(
            gpu=torch.cuda.get_device_name(), cuda=torch.version.cuda,
            tf32=torch.backends.cuda.matmul.allow_tf32)
    return info


def versions() -> dict[str, str | None]:
    """Versions of Python, torch, mmbt and what it stands on."""
    found: dict[str, str | None] = dict(
        python=platform.python_version(), torch=torch.__version__, mmbt=__version__)
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def cpu_info(key: str, path: str = '/proc/cpuinfo') -> str | None:
    """The first value of a key of Linux's ``/proc/cpuinfo``; None where there is none."""
    try:
        with open(path, encoding='utf-8') as file:
            for line in file:
                name, _, value = line.partition(':')
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return None


def cpu_flags(path: str = '/proc/cpuinfo') -> set[str]:
    """What the CPU's instruction set has."""
    return set((cpu_info('flags', path) or cpu_info('Features', path) or '').split())


def why_skipped(precision: str, device: str) -> str | None:
    """Why a precision is not measured here; None where it is."""
    if precision == 'bf16' and device == 'cpu' and not cpu_flags() & BF16_UNITS:
        return 'this CPU has no bf16 units (no amx_bf16 or avx512_bf16 in /proc/cpuinfo)'
    return None


class Memory:
    """Peak memory of what runs after this is made, in bytes.

    Args:
        device: ``'cpu'`` or ``'cuda'``.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.resets = False
        if device == 'cuda':
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.built = torch.cuda.memory_allocated()
        else:
            self.built = process_status('VmRSS') or 0
            self.resets = reset_peak()

    def peak(self) -> dict:
        """On CUDA what torch had allocated and reserved; on a CPU the process's resident set.

        ``added`` is the peak less what was there before: on a CPU whose system cannot forget an
        earlier peak (``since_start``) it may belong to an earlier row.
        """
        if self.device == 'cuda':
            allocated = torch.cuda.max_memory_allocated()
            return dict(allocated=allocated, reserved=torch.cuda.max_memory_reserved(),
                        added=allocated - self.built)
        peak = process_status('VmHWM') or _max_resident()
        return dict(resident=peak, added=max(peak - self.built, 0),
                    since_start=not self.resets)


def process_status(key: str) -> int | None:
    """A size in ``/proc/self/status``, in bytes; None where there is none."""
    try:
        with open('/proc/self/status', encoding='utf-8') as file:
            for line in file:
                if line.startswith(key + ':'):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None


def _max_resident() -> int:
    """The process's peak resident set since its start, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else 1024 * peak


def reset_peak() -> bool:
    """Make Linux forget this process's peak resident set; whether it did."""
    try:
        with open('/proc/self/clear_refs', 'w', encoding='utf-8') as file:
            file.write('5')
    except OSError:
        return False
    return True
