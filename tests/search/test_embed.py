"""Parts that are embedded apart, killed, run again, and merged into what one process makes."""
import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import mmbt
from mmbt.reading import process
from mmbt.search.embed import Job, embed_list, merge_embedded
from mmbt.search.embed import lease as lease_module
from mmbt.search.embed.lease import Leases
from mmbt.search.embed.listing import read_list
from mmbt.search.embed.output import Output
from mmbt.search.encoder import Encoder
from mmbt.search.fragments import read_fragment

from ..support.forked import finish, fork, fork_until_told, kill, run_limited
from ..support.tools import run
from .search_world import TEXT, opened, write_clip, write_world

pytestmark = pytest.mark.slow

MODEL = ('--model', 'config.py', '--weights', 'weights.pth', '--device', 'cpu', '--readers', 0)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A folder with a model and videos, one of them broken, one a copy; and the model, loaded."""
    folder = tmp_path_factory.mktemp('embed')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_world(folder)
        (folder / 'videos/bad.mp4').write_text('no video')
        (folder / 'videos/z.mp4').write_bytes((folder / 'videos/a.mp4').read_bytes())
        return folder, mmbt.load('config.py', weights='weights.pth')


@pytest.fixture
def world(made, tmp_path, monkeypatch):
    """A working folder of one's own with the same."""
    folder, model = made
    for name in ('config.py', 'weights.pth'):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / 'videos').mkdir()
    for video in (folder / 'videos').iterdir():
        (tmp_path / 'videos' / video.name).write_bytes(video.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    return model


def job(**settings):
    return Job(model='config.py', weights='weights.pth', out='out',
               **dict(dict(batch_size=1, every=0.), **settings))


def names_of(folder='out'):
    """How often each video is in the fragments of a folder."""
    return Counter(Path(row.video.path).name for path in Path(folder).glob('fragments/*.npz')
                   for row in read_fragment(path)[2])


ALL = {f'{name}.mp4' for name in ('a', 'b', 'c', 'd', 'e', 'bad', 'z')}
ONCE = dict.fromkeys(ALL, 1)


def encoded(world, monkeypatch):
    """A list that grows by each video that is encoded."""
    seen, encode = [], world.encoder.videos_and_means
    monkeypatch.setattr(world.encoder, 'videos_and_means',
                        lambda clips: seen.extend(clips) or encode(clips))
    return seen


def test_parts_merge_into_the_index_of_one_process(world, monkeypatch, capsys):
    for part in range(3):
        assert run(monkeypatch, 'embed', 'videos', *MODEL, '--out', 'out', '--part', f'{part}/3',
                   '--batch-size', 1) is None
    said = capsys.readouterr()
    assert re.search(r'^out: 1 parts done: \d videos, \d windows, [01] broken; \d of the videos in '
                     r'this run, in [\d.]+ s: [\d,]+ videos an hour$', said.out, re.M)
    assert 'part 2 of 3: ' in said.err and names_of() == ONCE
    assert run(monkeypatch, 'embed', '--merge', 'out', '--index', 'index') is None
    assert re.match(r'index: 5 videos, 5 windows, 1 broken; 6 new of \d fragments, 1 copies left',
                    capsys.readouterr().out)
    ours = opened()
    monkeypatch.setattr(mmbt.search.embed.running, 'split', None)  # nothing is embedded from here
    theirs = opened_anew(world)
    assert len(ours) == len(theirs) == 5
    left_out = {'a.mp4', 'z.mp4'}
    assert {Path(path).name for path in ours.paths} ^ {Path(path).name for path in theirs.paths} \
        <= left_out
    for path in theirs.paths:
        same = path if path in ours.paths else path.replace('a.mp4', 'z.mp4')
        for values, others in zip(ours.windows_of(same), theirs.windows_of(path)):
            assert np.array_equal(values, others)
        for mode in ('embedding', 'baseline'):
            scores = [each.index.scores(name, each.encoder.texts([TEXT])[0], mode)[0].score
                      for each, name in ((ours, same), (theirs, path))]
            assert scores[0] == scores[1]
    assert ours.broken == theirs.broken and ours.index.made_by == theirs.index.made_by
    capsys.readouterr()
    assert run(monkeypatch, 'search', 'query', 'config.py', 'weights.pth', '--device', 'cpu',
               '--index', 'index', '--text', TEXT, '--top', 9, '--json') is None
    found = json.loads(capsys.readouterr().out)
    assert [each['score'] for each in found] == [hit.score for hit in theirs.search(TEXT, 9)]
    assert merge_embedded('out', 'index').merged[1:] == (0, 6, 1)


def opened_anew(world):
    """A search over an index on the disk that one process fills."""
    from .search_world import new_search
    search = new_search()
    search.open('one', create=True)
    assert search.add(read_list('videos'), batch_size=1) == 5
    return search


def test_a_part_that_was_killed_goes_on_after_its_last_fragment(world, monkeypatch):
    paths = read_list('videos')
    encode = Encoder.videos_and_means

    def dying():
        done = []

        def encode_or_die(self, clips):
            if len(done) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(clips)
            return encode(self, clips)

        monkeypatch.setattr(Encoder, 'videos_and_means', encode_or_die)
        embed_list(paths, job(parts=1), model=world)

    os.waitpid(fork(dying), 0)
    kept = names_of()
    assert len(kept) >= 3 and set(kept.values()) == {1} and Output.open('out').missing() == [0]
    seen = encoded(world, monkeypatch)
    counts = embed_list(paths, job(parts=1), 0, model=world)
    assert counts == (6, 6, 1, 7 - len(kept), 1) and len(seen) == 3
    assert names_of() == ONCE and Output.open('out').missing() == []
    assert embed_list(paths, job(), model=world) == (6, 6, 1, 0, 1) and len(seen) == 3
    assert names_of() == ONCE and not list(Path('out/leases').iterdir())


def test_what_has_changed_is_embedded_again_and_what_is_new(world, monkeypatch):
    embed_list(read_list('videos'), job(parts=2), model=world)
    seen = encoded(world, monkeypatch)
    write_clip(Path('videos/b.mp4').absolute(), 9)
    os.utime('videos/b.mp4', (1, 1))  # as a copy of an older file has it
    write_clip(Path('videos/f.mp4').absolute(), 10)
    os.remove('videos/c.mp4')
    paths = [*reversed(read_list('videos')), os.path.abspath('videos/c.mp4')]
    counts = embed_list(paths, job(), model=world)
    assert counts[:2] == (6, 6) and counts[2:] == (2, 3, 2) and len(seen) == 2
    assert names_of() == dict(ONCE, **{'f.mp4': 1})
    merge_embedded('out', 'index')
    index = opened().index
    assert index.known(os.path.abspath('videos/b.mp4')).mtime_ns == 10**9
    assert index.errors()[os.path.abspath('videos/c.mp4')].endswith('c.mp4 is missing')
    assert embed_list(paths, job(), model=world)[3] == 0
    write_clip(Path('videos/bad.mp4').absolute(), 11)
    os.utime('videos/bad.mp4', ns=(1, index.known(os.path.abspath('videos/bad.mp4')).mtime_ns))
    assert embed_list(paths, job(retry=True), model=world)[2:4] == (1, 2)  # bad, and c
    assert names_of() == dict(ONCE, **{'f.mp4': 1})


def test_workers_share_the_parts(world):
    paths = read_list('videos')
    workers = [fork(lambda: embed_list(paths, job(per_part=1, lease=30.), model=world))
               for _ in range(3)]
    for worker in workers:
        finish(worker)
    output = Output.open('out')
    assert output.parts == 7 and output.missing() == [] and names_of() == ONCE
    assert not list(output.lease_folder.iterdir())


def test_the_part_of_a_dead_machine_is_taken_again(world, monkeypatch, capsys):
    """It had written one video; another worker waits until its lease is over."""
    paths = read_list('videos')
    encode = Encoder.videos_and_means

    def work(told):
        def encode_or_stop(self, clips):
            if list(Path('out/fragments').glob('*.npz')):
                told()
                time.sleep(60)
            return encode(self, clips)

        lease_module._machine = lambda: 'another'
        monkeypatch.setattr(Encoder, 'videos_and_means', encode_or_stop)
        embed_list(paths, job(parts=1, lease=1.), model=world)

    dead = fork_until_told(work)
    with pytest.raises(ValueError, match='^out: 1 of 1 parts are with others .process .*[^\n]$'):
        embed_list(paths, job(parts=1, lease=1., wait=False), 0, model=world)
    assert embed_list(paths, job(lease=1., wait=False), model=world).parts == 0
    with pytest.raises(ValueError, match=r'^out: 1 of 1 parts are not done .0.: run `mmbt embed` '):
        merge_embedded('out', 'index')
    part = merge_embedded('out', 'partly', partial=True)
    assert part.missing == [0] and 1 <= part.videos + part.broken <= 2
    assert part.line('partly').endswith('; 1 parts are missing')
    start = time.monotonic()
    kill(dead)
    assert embed_list(paths, job(lease=1.), model=world)[:3] == (6, 6, 1)
    assert time.monotonic() - start > 0.5 and names_of() == ONCE


def test_who_was_paused_too_long_writes_no_more(world, monkeypatch):
    """Another has its part, and all of it is done there."""
    paths, taken = read_list('videos'), []
    encode = Encoder.videos_and_means

    def encode_after_a_pause(self, clips):
        if not taken:
            lease, = Path('out/leases').glob('000000.*')
            os.utime(lease, (1, 1))
            taken.append(lease)
            finish(fork(lambda: embed_list(paths, job(parts=1), 0, model=world)))
        return encode(self, clips)

    monkeypatch.setattr(Encoder, 'videos_and_means', encode_after_a_pause)
    monkeypatch.setattr(lease_module, 'BEATS', 1)
    assert embed_list(paths, job(parts=1), 0, model=world)[:4] == (6, 6, 1, 0)
    assert names_of() == ONCE


def test_a_decoder_that_dies_or_hangs_is_a_broken_video(world, monkeypatch):
    deeds = {'b': signal.SIGSEGV, 'c': signal.SIGSTOP}
    stream = process.ReadingProcess.stream

    def stream_or_die(self, path, choose, *limits):
        def choose_or_die(facts):
            if Path(path).stem in deeds:
                os.kill(self.popen.pid, deeds[Path(path).stem])
            return choose(facts)

        return stream(self, path, choose_or_die, *limits)

    monkeypatch.setattr(process.ReadingProcess, 'stream', stream_or_die)
    monkeypatch.setattr(world.encoder.reader.reader, 'deadline', 0.3)
    counts = embed_list(read_list('videos'), job(parts=1), model=world)
    errors = {Path(row.video.path).stem: row.video.error for path in Path('out').rglob('*.npz')
              for row in read_fragment(path)[2] if row.video.error}
    assert counts[:3] == (4, 4, 3), errors
    assert 'the decoder died of signal 11' in errors['b'] and 'took longer than' in errors['c']
    assert 'bad.mp4 cannot be' in errors['bad']


def test_a_full_disk_is_one_line_and_the_part_remains(world, monkeypatch):
    def work():
        run(monkeypatch, 'embed', 'videos/', *MODEL, '--out', 'out', '--part', '0/1')
        raise SystemExit(run(monkeypatch, 'embed', 'videos/', *MODEL, '--out', 'out'))

    Output.create('out', 1, world.encoder.embed_dim, world.encoder.made_with(world.encoder.plan))
    line, said = run_limited(work, largest=1500)
    assert re.fullmatch(r'error: /.*/out/fragments/000000\.\w+\.fragment\.npz: File too large; .*',
                        line)
    assert not any('Traceback' in each for each in said) and names_of() == {}
    assert Output.open('out').missing() == [0] and not list(Path('out/leases').iterdir())
    assert embed_list(read_list('videos'), job(parts=1), 0, model=world)[:3] == (6, 6, 1)


def test_what_a_scheduler_ends_is_written(world, monkeypatch):
    def work(told):
        encode = Encoder.videos_and_means

        def encode_and_tell(self, clips):
            found = encode(self, clips)
            if len(seen) == 2:
                told()
                time.sleep(60)
            seen.append(clips)
            return found

        seen = []
        monkeypatch.setattr(Encoder, 'videos_and_means', encode_and_tell)
        end = run(monkeypatch, 'embed', 'videos/', *MODEL, '--out', 'out', '--part', '0/1',
                  '--batch-size', 1)
        os._exit(end)

    child = fork_until_told(work)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143
    assert len(names_of()) >= 2 and not list(Path('out/leases').iterdir())
    assert Leases(Path('out/leases').absolute()).take('000000').number == 0


EMBED = ('videos', *MODEL, '--out', 'out')


@pytest.mark.parametrize('args, line', [
    (('none.txt', *EMBED[1:]), 'none.txt is missing: name a file with a path a line'),
    (('empty.txt', *EMBED[1:]), 'empty.txt is empty'),
    (EMBED[:-2], 'mmbt embed needs --out'),
    (('videos', '--out', 'out'), 'mmbt embed needs --model, such as clip-vit-l-14'),
    ((), 'mmbt embed needs LIST'),
    ((*EMBED, '--part', '3/3'), '--part 3/3 is out of range'),
    ((*EMBED, '--part', '1/3'), 'was begun with 2 parts, not 3: go on with as many'),
    ((*EMBED, '--window', '3'), 'was made with another windows'),
    ((*EMBED, '--stride', '300'), 'windows need 0 < stride <= length'),
    ((*EMBED, '--frames', '0'), 'frames'),
    ((*EMBED, '--batch-size', '0'), 'batch_size must be at least 1'),
    ((*EMBED, '--lease', '0'), 'lease must be above 0'),
    ((*EMBED, '--workers', '2'), '--workers goes with --engine ray'),
    ((*EMBED, '--engine', 'ray'), '--device goes not with --engine ray'),
    (('videos', *MODEL, '--out', 'videos'), 'videos holds other files'),
    (('videos', *MODEL, '--out', 'empty.txt'), '--out empty.txt is a file'),
    (('videos', *MODEL, '--out', '/sys/kernel/out'), '/sys/kernel/out: '),
    (('videos', '--model', 'clip-vit-x', '--out', 'out'), "'clip-vit-x' names no model"),
    (('--merge', 'out'), '--merge needs --index'),
    (('videos', '--merge', 'out', '--index', 'x'), 'leave LIST out'),
    (('--merge', 'videos', '--index', 'x'), 'videos has no embed.json'),
    (('--merge', 'out', '--index', 'empty.txt'), '--index empty.txt is a file'),
    (('--merge', 'out', '--index', 'x', '--partial'), 'out/fragments has no fragments'),
])
def test_bad_input_is_one_line(world, monkeypatch, args, line):
    Path('empty.txt').touch()
    monkeypatch.setattr('mmbt.search.load.load_config', lambda *_: world)
    Output.create('out', 2, world.encoder.embed_dim, world.encoder.made_with(world.encoder.plan))
    message = run(monkeypatch, 'embed', *args)
    assert message.startswith('error: ') and '\n' not in message
    assert line in message


@pytest.mark.parametrize('name, line', [
    ('embed.json', 'embed.json'), ('done/000000.json', 'done/000000.json'),
    ('fragments', 'delete /'), ('leases', 'leases')])
def test_a_folder_that_is_damaged(world, name, line):
    embed_list(read_list('videos'), job(parts=1), model=world)
    place = Path('out') / name
    if name == 'leases':
        place.rmdir()
        place.symlink_to('/sys/kernel')
    elif name == 'fragments':
        next(place.iterdir()).write_bytes(b'PK')
        Path('out/done/000000.json').unlink()
    else:
        place.write_text('{}')
    with pytest.raises((ValueError, OSError), match=f'^[^\n]*{line}[^\n]*$'):
        embed_list(read_list('videos'), job(parts=1), model=world)
