"""Whether an index of unknown origin can be opened: tried once, in a process of its own.

Native code that reads a damaged file may ask for more memory than there is, and that ends a process
without an exception. An index is therefore read through once by another process before this one
opens it; those made here, or read through once, are remembered by their file of settings.
"""
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from mmbt.files.atomic import whole_file

from .lance_table import shown

SECONDS = 1800  # for the reading; about 4 s a million windows
READ_THROUGH = '''
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import lance
folder = sys.argv[1]
for name in ('videos.lance', 'moments.lance'):
    data = lance.dataset(os.path.join(folder, name))
    data.checkout_latest()
    data.describe_indices(), data.schema, data.version, data.count_rows()
    count, column = 0, data.schema.names[0]
    for fragment in data.get_fragments():
        fragment.data_files()[0].path, fragment.deletion_file(), fragment.physical_rows
        for batch in fragment.to_batches(with_row_id=True, batch_size=1024):
            batch.validate(full=True)
            count += batch.num_rows
            last = batch['_rowid'].to_pylist()[-1:]
        count and data._take_rows(last)
        fragment.to_table(columns=[column], with_row_id=True)
    data.to_table(filter=column + ' = 1')
    if count and name == 'moments.lance' and data.describe_indices():
        width = data.schema.field('embedding').type.list_size
        data.to_table(nearest=dict(column='embedding', q=[1.] * width, k=10, nprobes=100_000))
        data.to_table(filter="path >= '/' AND path < '0'", columns=[column])
'''


def check_origin(folder: Path, settings: Path) -> None:
    """Read an index through in another process, unless it is known here.

    Args:
        folder: Of the index.
        settings: Its file of settings, which is written once.

    Raises:
        ValueError: If that process fails, in one line.
    """
    mark, here = mark_of(folder), identity(settings)
    try:
        if mark.read_text(encoding='utf-8') == here:
            return
    except (OSError, ValueError):
        pass
    read_through(folder)
    remember(folder, settings)


def read_through(folder: Path) -> None:
    """Read an index through in another process; see :func:`check_origin`."""
    try:
        done = subprocess.run([sys.executable, '-I', '-c', READ_THROUGH, os.fspath(folder)],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False, env={**os.environ, 'RUST_BACKTRACE': '0',
                                                'LANCE_LOG': 'error'})
    except subprocess.TimeoutExpired:
        raise ValueError(f'index {shown(folder)} is damaged: reading it through took more than '
                         f'{SECONDS} s; make it anew') from None
    if done.returncode:
        lines = done.stderr.decode(errors='replace').strip().splitlines() or ['no reason']
        why = next((line for line in lines if 'memory allocation' in line), lines[-1])
        raise ValueError(f'index {shown(folder)} cannot be read or is damaged '
                         f'({shown(why)[:200]}); make it anew')


def remember(folder: Path, settings: Path) -> None:
    """Take an index for known here, where there is a place to write that."""
    try:
        with whole_file(mark_of(folder)) as draft:
            draft.write_text(identity(settings), encoding='utf-8')
    except OSError:
        pass


def mark_of(folder: Path) -> Path:
    """The file that says that an index is known."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return Path(home, 'mmbt', 'indexes', name)


def identity(settings: Path) -> str:
    """What a copy of an index, or another in its place, has otherwise."""
    status = os.stat(settings)
    return f'{status.st_dev} {status.st_ino} {status.st_mtime_ns} {status.st_size}'
