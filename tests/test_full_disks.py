"""Full disks and folders that cannot be written to: one line that names the file, nothing torn.

A limit on the size of files stands for a full disk, and a folder of the kernel for one that nobody,
root included, may write to.
"""
import json
import os
import re
import sys

import pytest

import toys
from mmbt.engine.launch import describe
from mmbt.files.append_log import Journal

from .search.search_world import write_world
from .support.forked import run_limited
from .support.tools import run

pytestmark = pytest.mark.slow

CLOSED = '/sys/kernel'
MODEL = ('config.py', 'weights.pth', '--device', 'cpu')
SHARDS = ('--ann-file', 'ann.json', '--form', 'dict', '--videos', 'videos', '--clips', 2)
PREPARE = ('prepare', 'msrvtt', '--annotations', 'msrvtt.csv', '--videos', 'videos')
KEPT = ('.pth', '.npz', '.tar', '.mp4')
REMEDY = (r'(File too large; raise the limit .*|Operation not permitted|Permission denied|'
          r'Read-only file system).*(write elsewhere|name another place)')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """What the tools read, and what they wrote while there was room."""
    folder = tmp_path_factory.mktemp('disks')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv('LOCAL_RANK', '0')
        write_world(folder)
        (folder / 'toy.py').write_text(toys.CONFIG)
        (folder / 'ann.json').write_text(json.dumps({f'{name}.mp4': ['x'] for name in 'abcde'}))
        (folder / 'msrvtt.csv').write_text('key,vid_key,video_id,sentence\nr,m,a,a door opens\n')
        assert run(patch, 'train', 'toy.py', '--work-dir', 'run',
                   '--cfg-options', 'train_cfg.max_epochs=1', 'log_level=ERROR') is None
        assert run(patch, 'search', 'index', *MODEL, 'videos/a.mp4', '--index', 'index.npz',
                   '--workers', 0) is None
        assert run(patch, 'prepare shards', 'shards', *SHARDS, '--workers', 1) is None
    return folder


def refused(folder, largest, tool, *args):
    """Run a tool on a disk that takes so much; return its error, and what it printed before."""
    def work():
        os.chdir(folder)
        os.environ['LOCAL_RANK'] = '0'
        os.environ.pop('MMBT_TRACEBACK', None)
        with pytest.MonkeyPatch.context() as patch:
            sys.exit(run(patch, tool, *args))

    before = {path: path.read_bytes() for path in files(folder) if path.suffix in KEPT}
    line, said = run_limited(work, largest)
    assert not any('Traceback' in each for each in said), said
    for path in files(folder):
        assert path.suffix not in ('.part', '.lock')
        assert path.read_bytes() == before.get(path, path.read_bytes()), path
    return line


def files(folder):
    return sorted(path for path in folder.rglob('*') if path.is_file())


@pytest.mark.parametrize('largest, name, args', [
    (3000, 'new/epoch_1.pth', ('train', 'toy.py', '--work-dir', 'new')),
    (3000, 'run/epoch_2.pth', ('train', 'toy.py', '--work-dir', 'run', '--resume')),
    (800, 'index.npz', ('search', 'index', *MODEL, 'videos', '--index', 'index.npz',
                        '--workers', 0)),
    (2000, 'sheet.png', ('search', 'query', *MODEL, '--index', 'index.npz', '--text', 'a door',
                         '--sheet', 'sheet.png')),
    (6000, 'new_shards/shard-000000.tar', ('prepare shards', 'new_shards', *SHARDS,
                                           '--workers', 1)),
    (6000, 'new_shards/shard-00000[0-2].tar', ('prepare shards', 'new_shards', *SHARDS,
                                               '--workers', 2)),
    (1000, 'world/videos/train_0000[01].mp4', (
        'prepare world', 'world', '--train', 2, '--test', 12, '--stills', 2)),
    (10, 'prepared/test_JSFUSION.json', (*PREPARE, '--out', 'prepared')),
    (100, 'prompts.json', ('converse', 'prompts', 'prompts.json')),
])
def test_a_full_disk_is_one_line(folder, largest, name, args):
    tool, *rest = args
    if tool in ('train', 'test'):  # whose logs are larger than what the test is about
        rest += ['--cfg-options', 'log_level=ERROR', 'default_hooks.logger.interval=1000']
    line = refused(folder, largest, tool, *rest)
    assert re.fullmatch(f'error: (.*/)?{name}: {REMEDY} .MMBT_TRACEBACK=1 shows where.', line), line


@pytest.mark.parametrize('args', [
    ('train', 'toy.py', '--work-dir', f'{CLOSED}/run'),
    ('test', 'toy.py', 'run/epoch_1.pth', '--work-dir', f'{CLOSED}/run'),
    ('test', 'toy.py', 'run/epoch_1.pth', '--work-dir', 'tested', '--dump', f'{CLOSED}/a.pkl'),
    ('search', 'index', *MODEL, 'videos', '--index', f'{CLOSED}/index.npz', '--workers', 0),
    ('search', 'label', *MODEL, 'videos/a.mp4', '--classes', 'a', 'b', '--csv', f'{CLOSED}/a.csv',
     '--workers', 0),
    ('search', 'query', *MODEL, '--index', 'index.npz', '--text', 'a', '--sheet',
     f'{CLOSED}/a.png'),
    ('prepare shards', f'{CLOSED}/shards', *SHARDS, '--workers', 1),
    ('prepare world', f'{CLOSED}/world', '--train', 2, '--test', 12, '--stills', 2),
    (*PREPARE, '--out', f'{CLOSED}/prepared'),
    ('converse', 'prompts', f'{CLOSED}/prompts.json'),
    ('convert', 'run/epoch_1.pth', f'{CLOSED}/converted.pth'),
    ('ablate', 'table7', '--seeds', 1, '--work-dir', f'{CLOSED}/ablations'),
    ('bench', 'data', '--clips', 1, '--repeats', 1, '--seconds', 1, '--json',
     f'{CLOSED}/data.json'),
])
def test_a_folder_that_cannot_be_written_to_is_one_line(folder, args):
    line = refused(folder, None, *args)
    assert re.fullmatch(f'error: {CLOSED}/[^\n]*: {REMEDY} .MMBT_TRACEBACK=1 shows where.', line)


def test_a_log_that_cannot_be_written_is_told_once_and_does_not_stop_a_test(folder):
    def work():
        os.chdir(folder)
        import logging

        from mmbt.engine.launch import run_tool
        log = logging.getLogger('full')
        log.addHandler(logging.FileHandler('/dev/full'))
        run_tool(lambda: [log.warning('words') for _ in range(5)])

    code, said = run_limited(work)
    assert code == '0' and said == ['warning: the log is not complete: /dev/full: No space left on '
                                    'device; free some space, or write elsewhere']


def test_a_journal_keeps_what_it_had(tmp_path):
    path = tmp_path / 'a.journal'

    def work():
        with Journal(path, dict(model='a')) as journal:
            journal.append(dict(n=1))
            journal.append(dict(text='x' * 1000))

    code, _ = run_limited(work, largest=500)
    assert code.splitlines()[-1] == f"OSError: [Errno 27] File too large: '{path}'"
    with Journal(path, dict(model='a')) as journal:
        assert journal.records == [dict(n=1)]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('error, line', [
    (OSError(28, 'No space left on device', 'a.pth'), 'a.pth: No space left on device; free some'),
    (OSError(122, 'Disk quota exceeded', 'a'), 'a: Disk quota exceeded; free some of your quota'),
    (OSError(30, 'Read-only file system', b'caf\xe9'), 'caf\udce9: Read-only file system; write'),
    (OSError(18, 'Invalid cross-device link', 'a.part', None, 'a'), None),
    (OSError(13, 'Permission denied', 'a.0.part', None, 'a'), 'a: Permission denied; allow it'),
    (OSError(28, 'No space left on device'), 'a file cannot be written: No space left'),
    (OSError("Caught OSError in DataLoader worker process 0.\nOriginal Traceback (most recent call "
             "last):\n  File \"x.py\"\nOSError: [Errno 28] No space left on device: 'w/a.tar'"),
     'w/a.tar: No space left on device; free'),
    (RuntimeError('unable to write to file </torch_1_2>: No space left on device (28)'),
     'unable to write to file </torch_1_2>: No space left on device; free'),
    (OSError('some other trouble'), None), (RuntimeError('bug'), None)])
def test_what_is_said_of_a_disks_error(error, line):
    said = describe(error)
    assert said is None if line is None else said.startswith(line) and '\n' not in said


def test_a_file_without_a_name_in_the_error_is_found_where_it_was_open(tmp_path):
    def write():
        with open('/dev/full', 'w') as file:
            file.write('words')

    with pytest.raises(OSError) as caught:
        write()
    assert describe(caught.value).startswith('/dev/full: No space left on device; free some space')
