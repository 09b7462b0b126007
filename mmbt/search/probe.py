"""Whether an index of unknown origin can be read: tried first, in a process of its own.

Native code that reads a damaged file may ask for more memory than there is, or never end, and no
exception tells so. An index that was not made here is therefore read by another process, of bounded
memory and time, before this one reads it: at once all but the vectors, of which a row in every page
is taken, and the vectors as a whole before the first time that they are all read here.

What was made here, or has been read through, is remembered by its file of settings: in the user's
cache and not in the index, where anybody could say that it is sound.
"""
import hashlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

from mmbt.files.atomic import whole_file

from .lance_table import lance, shown

OUTLINE, WHOLE = 'outline', 'whole'  # how much of an index has been read
SMALL = 2**28  # bytes that are read as a whole at once
BYTES_A_SECOND = 10**7  # that reading is waited for, at least
PATIENCE = 60.  # seconds more
MOST_MARKS = 1000  # from which those of indexes that are gone are removed
PROBE = '''
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[3]), ) * 2)
class WithoutPandas:  # which pyarrow takes seconds to import
    def find_spec(self, name, path=None, target=None):
        if name == 'pandas':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, WithoutPandas())
import lance
folder, whole = sys.argv[1], sys.argv[2] == 'whole'
for name in ('videos.lance', 'moments.lance'):
    data = lance.dataset(os.path.join(folder, name))
    data.checkout_latest()
    data.describe_indices(), data.schema, data.version, data.count_rows()
    columns, count = data.schema.names, 0
    vectors = ['embedding', 'baseline'] if name == 'moments.lance' else []
    light = columns if whole else [each for each in columns if each not in vectors]
    for fragment in data.get_fragments():
        fragment.data_files()[0].path, fragment.deletion_file(), fragment.physical_rows
        for batch in fragment.to_batches(columns=light, with_row_id=True, batch_size=1024):
            batch.validate(full=True)
            count += batch.num_rows
            last = batch['_rowid'].to_pylist()[-1:]
        count and data._take_rows(last)
        fragment.to_table(columns=columns[:1], with_row_id=True)
    data.to_table(filter=columns[0] + ' = 1')
    if count and vectors:
        width = getattr(data.schema.field('embedding').type, 'list_size', 1)
        data.take(list(range(0, count, max(1, 2**20 // width))), columns=vectors)
        if data.describe_indices():
            data.to_table(columns=columns[:1], nearest=dict(
                column='embedding', q=[1.] * width, k=10, nprobes=100_000))
            data.to_table(filter="path >= '/' AND path < '0'", columns=columns[:1])
'''


def check_origin(folder: Path, settings: Path, much: str = OUTLINE) -> None:
    """Have another process read an index, unless that has been done, or it was made here.

    Args:
        folder: Of the index.
        settings: Its file of settings, which is written once.
        much: All but most of its vectors, or all of it; see the module.

    Raises:
        ValueError: If that process fails, in one line.
    """
    if is_known(folder, settings, much):
        return
    if plain_size(folder) < SMALL:
        much = WHOLE
    threading.Thread(target=_import_ahead, daemon=True).start()
    read_apart(folder, much)
    remember(folder, settings, much)


def _import_ahead() -> None:
    """Import, while another process reads, what will be needed then."""
    try:
        lance()
    except ImportError:  # told when it is needed
        pass


def read_apart(folder: Path, much: str = WHOLE) -> None:
    """Read an index in another process; see :func:`check_origin`."""
    size = plain_size(folder)
    patience = PATIENCE + size / BYTES_A_SECOND
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    try:
        done = subprocess.run(
            [sys.executable, '-I', '-c', PROBE, os.fspath(folder), much,
             str(min(2**33, max(2**31, memory // 2)))],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False,
            env={**os.environ, 'RUST_BACKTRACE': '0', 'LANCE_LOG': 'error'})
    except subprocess.TimeoutExpired:
        raise ValueError(f'index {shown(folder)} is damaged: reading it through took more than '
                         f'{patience:.0f} s; make it anew') from None
    if done.returncode:
        lines = done.stderr.decode(errors='replace').strip().splitlines() or ['no reason']
        why = next((line for line in lines if 'memory allocation' in line), lines[-1])
        raise ValueError(f'index {shown(folder)} cannot be read or is damaged '
                         f'({shown(why)[:200]}); make it anew')


def plain_size(folder: Path) -> int:
    """Bytes of an index.

    Raises:
        ValueError: If it holds what no index does: links out of it, pipes, devices.
    """
    size = 0
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            try:
                status = os.lstat(path)
            except FileNotFoundError:  # another process has removed it meanwhile
                continue
            if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
                raise ValueError(f'index {shown(folder)} holds {shown(path)}, which is no file but '
                                 'a link, a pipe or a device: copy what it leads to in its place')
            size += status.st_size
    return size


def is_known(folder: Path, settings: Path, much: str) -> bool:
    """Whether an index was made or read here, so much of it."""
    try:
        who, how, _ = mark_of(folder).read_bytes().split(b'\n', 2)
    except (OSError, ValueError):
        return False
    return who.decode() == identity(settings) and how.decode() in (WHOLE, much)


def remember(folder: Path, settings: Path, much: str = WHOLE) -> None:
    """Take an index for known here, where there is a place to write that."""
    mark = mark_of(folder)
    try:
        with whole_file(mark) as draft:
            draft.write_bytes(f'{identity(settings)}\n{much}\n'.encode()
                              + os.fsencode(os.path.realpath(settings)))
        forget_gone(mark.parent)
    except OSError:
        pass


def forget_gone(marks: Path) -> None:
    """Remove the marks of indexes that are there no more, once there are many marks."""
    paths = list(marks.iterdir())
    for path in paths if len(paths) > MOST_MARKS else ():
        *_, settings = path.read_bytes().split(b'\n', 2)
        if not os.path.exists(settings):
            path.unlink(missing_ok=True)


def mark_of(folder: Path) -> Path:
    """The file that says that an index is known."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return Path(home, 'mmbt', 'indexes', name)


def identity(settings: Path) -> str:
    """What a copy of an index, or another in its place, has otherwise."""
    status = os.stat(settings)
    return f'{status.st_dev} {status.st_ino} {status.st_mtime_ns} {status.st_size}'
