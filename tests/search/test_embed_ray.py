"""The same parts on Ray: a worker is killed, then the driver, and a second driver goes on.

Ray's processes cost seconds to start, and a worker of theirs the whole import, so that one story
tells it all.
"""
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import mmbt
from mmbt.search.embed import Job
from mmbt.search.embed.listing import read_list
from mmbt.search.embed.on_ray import LOCAL, embed_on_ray, room, start
from mmbt.search.embed.output import Output
from mmbt.search.fragments import read_fragment

from ..support.forked import finish, fork, kill
from ..support.tools import ROOT, run
from .search_world import write_world

pytestmark = pytest.mark.slow

VIDEOS = 80
needs_ray = pytest.mark.skipif(find_spec('ray') is None, reason="needs pip install 'mmbt[ray]'")


def rows():
    """What the fragments hold, as (video's name, error, embeddings)."""
    return [(Path(row.video.path).name, row.video.error, row.embeddings)
            for path in Path('out').glob('fragments/*.npz') for row in read_fragment(path)[2]]


def until(condition, seconds=120):
    """Wait until something is there; return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError('it does not come')


def holder():
    """The process that has the part's lease, where one has."""
    for path in sorted(Path('out/leases').glob('000000.*'), reverse=True):
        try:
            return json.loads(path.read_text())['pid']
        except (OSError, ValueError):
            return None
    return None


def alive(pid):
    """Whether a process runs."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


def driver(log):
    """Start a driver; what it says goes into a file."""
    def work():
        sys.stdout = sys.stderr = open(log, 'w', buffering=1)
        job = Job(model='config.py', weights='weights.pth', out='out', parts=1, batch_size=1,
                  every=0.)
        address = until(lambda: Path('address').exists() and Path('address').read_text())
        print(embed_on_ray(read_list('videos'), job, workers=1, address=address))

    return fork(work)


def cluster():
    """Start a cluster as a driver does that is given none."""
    def work():
        os.environ['PYTHONPATH'] = str(ROOT)
        ray = start(LOCAL)
        with pytest.raises(ValueError, match='^a worker takes 2 GPUs, and the cluster has '):
            room(ray, None, 2., 1)
        assert room(ray, None, None, 1) == (0., int(ray.cluster_resources()['CPU']))
        Path('address.part').write_text(ray.get_runtime_context().gcs_address)
        os.rename('address.part', 'address')
        signal.signal(signal.SIGTERM, lambda *_: ray.shutdown() or os._exit(0))
        time.sleep(300)

    return fork(work)


@needs_ray
def test_a_worker_and_a_driver_are_killed_and_another_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('RAY_AUTH_MODE', 'token')
    monkeypatch.setenv('RAY_AUTH_TOKEN', 'a' * 64)
    write_world(tmp_path)
    for number in range(5, VIDEOS):
        shutil.copy(f'videos/{"abcde"[number % 5]}.mp4', f'videos/{number}.mp4')
    Path('videos/bad.mp4').write_text('no video')
    first, head = driver('first.log'), cluster()
    try:
        until(lambda: len(rows()) > 1)
        worker = holder()
        os.kill(worker, signal.SIGKILL)
        until(lambda: not alive(worker))
        kept = len(rows())
        assert kept < VIDEOS
        second_worker = until(lambda: holder() not in (None, worker) and holder())
        until(lambda: len(rows()) > kept)
        kill(first)
        until(lambda: not alive(second_worker))
        kept = rows()
        assert len(kept) < VIDEOS and Output.open('out').missing() == [0]
        other = driver('second.log')
        assert os.waitpid(other, 0)[1] == 0, Path('second.log').read_text()
        last = Path('second.log').read_text().splitlines()[-1]
        assert last == (f'Counts(videos={VIDEOS}, windows={VIDEOS}, broken=1, '
                        f'encoded={VIDEOS + 1 - len(kept)}, parts=1)')
    finally:
        os.kill(head, signal.SIGTERM)
        finish(head)
    made = rows()
    assert Counter(name for name, *_ in made) == dict.fromkeys(os.listdir('videos'), 1)
    assert [name for name, error, _ in made if error] == ['bad.mp4']
    expected = mmbt.load('config.py', weights='weights.pth').embed_videos(
        [f'videos/{name}.mp4' for name in 'abcde'], batch_size=1)
    for name, error, embeddings in made:
        if not error:
            number = 'abcde'.find(name[0])
            number = int(name[:-4]) % 5 if number < 0 else number
            np.testing.assert_allclose(embeddings[0], expected[number], atol=1e-3)


def test_ray_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    monkeypatch.setenv('RAY_AUTH_MODE', 'token')
    monkeypatch.setitem(sys.modules, 'ray', None)
    Path('list.txt').write_text('a.mp4\n')
    line = run(monkeypatch, 'embed', 'list.txt', '--model', 'x.pth', '--out', 'out', '--engine',
               'ray')
    assert line.startswith('error: --engine ray needs Ray (') and '\n' not in line
    assert "pip install 'mmbt[ray]'" in line and not Path('out').exists()
