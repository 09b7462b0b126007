"""``mmbt search`` from end to end, in process, and after a kill."""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbt.search.query import Hit, Query
from mmbt.search.sheet import draw_sheet, read_three, shorten
from mmbt.search.tables import shown

from ..datasets.conftest import GREY_STEP, write_video
from ..support.tools import MMBT, ROOT, run
from .search_world import TEXT, filled, new_search, opened, write_clip

pytestmark = pytest.mark.slow

MODEL = ('config.py', 'weights.pth', '--device', 'cpu')
INDEX = ('--index', 'index')
CLASSES = ('a dog', 'a cat', 'rain')

# Ends as a killed process does, when the model has encoded so many videos.
KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from mmbt.cli import main
from mmbt.models import VideoTextModel
encode, seen = VideoTextModel.encode, []
def dying(self, imgs):
    seen.extend(imgs)
    if len(seen) > 4:
        os._exit(9)
    return encode(self, imgs)
VideoTextModel.encode = dying
main(['search', *{args!r}])
"""


@pytest.fixture(autouse=True)
def no_traceback(monkeypatch):
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)


def make_index(monkeypatch, *args):
    return run(monkeypatch, 'search', 'index', *MODEL, 'videos', *INDEX, '--workers', '0', *args)


def test_an_index_of_before_is_taken_in(videos, monkeypatch, capsys):
    encoder = new_search().encoder
    rows = np.zeros((4, encoder.embed_dim), np.float32)
    rows[range(4), range(4)] = 1
    stamps = [(os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in videos[:4]]
    np.savez('old.npz', embeddings=rows, paths=videos[:4], stamps=np.array(stamps),
             broken=np.array([], str), reasons=np.array([], str), made_by=list(encoder.made_by),
             model_card=[encoder.card])
    capsys.readouterr()
    assert make_index(monkeypatch, '--import', 'old.npz') is None
    assert capsys.readouterr().out == ('index: 5 videos, 1 of them encoded now, 4 taken from '
                                       'old.npz\n')
    assert np.array_equal(opened().embedding(videos[2]), rows[2])
    assert run(monkeypatch, 'search', 'index', *MODEL, 'videos', '--index', 'other', '--import',
               'config.py').startswith('error: config.py is no index of videos, or damaged')


def test_index_and_query(videos, world, monkeypatch, capsys):
    (world / 'videos/deep').mkdir()
    shutil.move(videos[4], world / 'videos/deep/E.MKV')
    (world / 'videos/broken.mp4').write_text('no video')
    (world / 'videos/.hidden.mp4').write_text('no video')
    (world / 'videos/notes.txt').write_text('no video')
    (world / 'videos/deep/again').symlink_to(world / 'videos')
    found = [*videos[:4], str(world / 'videos/deep/E.MKV')]
    expected = filled(found)
    capsys.readouterr()
    assert make_index(monkeypatch) is None
    shown = capsys.readouterr()
    assert shown.out == 'index: 5 videos, 5 of them encoded now\n'
    assert '6 of 6 videos, ' in shown.err and '1 of 6 videos left out' in shown.err
    assert f'  {world}/videos/broken.mp4 cannot be ' in shown.err
    made = opened()
    assert sorted(made.paths) == sorted(found) and len(made.broken) == 1
    for path in found:  # kept in half precision
        np.testing.assert_allclose(made.embedding(path), expected.embedding(path), atol=1e-3)
    expected = made

    capsys.readouterr()
    for args, hits in ((('--text', TEXT), expected.search(TEXT, 3)),
                       (('--like', 'videos/a.mp4'), expected.similar(found[0], 3))):
        assert run(monkeypatch, 'search', 'query', *MODEL, *INDEX, '--top', 3, *args) is None
        assert capsys.readouterr().out.splitlines() == [
            f'{cosine:.3f}  0:00-0:01  {os.path.relpath(path)}' for path, _, _, cosine in hits]


def test_an_index_takes_in_what_is_new_and_what_changed(videos, world, monkeypatch, capsys):
    assert make_index(monkeypatch) is None
    write_clip(world / 'videos/f.mp4', 5)
    write_clip(videos[0], 6)
    os.remove(videos[1])
    capsys.readouterr()
    for args, out in (((), '6 videos, 2 of them encoded now'),
                      (('--prune', ), '5 videos, 0 of them encoded now, 1 gone')):
        assert make_index(monkeypatch, *args) is None
        assert capsys.readouterr().out == f'index: {out}\n'


def test_a_killed_run_goes_on_where_it_was_saved(videos, world, monkeypatch, capsys):
    args = ['index', *MODEL, 'videos', *INDEX, '--workers', '0', '--batch-size', '1',
            '--save-every', '2']
    done = subprocess.run([sys.executable, '-c', KILLED.format(root=str(ROOT), args=args)],
                          env=dict(os.environ, PYTHONPATH=f'{ROOT}:{ROOT}/tests'))
    assert done.returncode == 9
    made = opened()
    assert sorted(made.paths) == videos[:4]
    capsys.readouterr()
    assert make_index(monkeypatch) is None
    assert capsys.readouterr().out == 'index: 5 videos, 1 of them encoded now\n'


def test_a_reader_that_has_had_enough_ends_it_quietly(videos, monkeypatch):
    assert make_index(monkeypatch) is None
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does
    done = subprocess.run(
        [sys.executable, str(MMBT), 'search', 'query', *MODEL,
         *INDEX, '--text', 'a door', '--device', 'cpu'],
        env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=writing, stderr=subprocess.PIPE,
        text=True)
    os.close(writing)
    assert done.returncode == 0 and 'Traceback' not in done.stderr
    assert 'BrokenPipeError' not in done.stderr


def test_what_is_interrupted_is_saved(videos, monkeypatch, capsys):
    from mmbt.search.encoder import Encoder
    encode = Encoder.videos_and_means

    def stopped(self, clips):
        if stopped.calls == 3:
            raise KeyboardInterrupt
        stopped.calls += 1
        return encode(self, clips)

    stopped.calls = 0
    monkeypatch.setattr(Encoder, 'videos_and_means', stopped)
    assert make_index(monkeypatch, '--batch-size', '1') == 130
    assert capsys.readouterr().err.endswith('kept, and the same command goes on\n')
    made = opened()
    assert sorted(made.paths) == videos[:3]


@pytest.mark.parametrize('from_file', [True, False])
def test_labels_and_their_table(videos, world, monkeypatch, capsys, from_file):
    Path('classes.txt').write_text('\n'.join(CLASSES))
    names = ['classes.txt'] if from_file else CLASSES
    search = filled(videos)
    Path('broken.mp4').write_text('no video')
    flags = INDEX if from_file else ()
    assert not from_file or make_index(monkeypatch) is None
    if from_file:
        search = opened()
    capsys.readouterr()
    assert run(monkeypatch, 'search', 'label', *MODEL, 'broken.mp4', *videos[:2], '--workers', 0,
               '--classes', *names, '--top', 2, '--csv', 'out/labels.csv', *flags) is None
    shown = capsys.readouterr()
    lines, rows = [], []
    for video in ('videos/a.mp4', 'videos/b.mp4'):
        found = search.label(video, CLASSES, top=2)
        lines += [video, *(f'  {p:.3f}  {name}' for name, p in found)]
        rows += [(video, rank, name, p) for rank, (name, p) in enumerate(found, start=1)]
    assert shown.out.splitlines() == lines and '1 of 3 videos left out' in shown.err
    with open('out/labels.csv', newline='') as file:
        head, *written = csv.reader(file)
    assert head == ['video', 'rank', 'class', 'probability']
    assert [(v, int(r), c) for v, r, c, _ in written] == [row[:3] for row in rows]
    np.testing.assert_allclose([float(row[3]) for row in written], [row[3] for row in rows],
                               atol=1e-4)


def test_no_name_is_a_formula_or_moves_the_terminal(videos, world, monkeypatch, capsys):
    evil = '=HYPERLINK("x")\x1b[2J.mp4'
    shutil.copy(videos[0], evil)
    Path('classes.txt').write_bytes(b'@SUM (A1)\r\n-2 + 3\r\na dog\x07!\r\n')
    assert run(monkeypatch, 'search', 'label', *MODEL, evil, '--workers', 0, '--classes',
               'classes.txt', '--csv', 'labels.csv') is None
    shown = capsys.readouterr().out
    name = r'=HYPERLINK("x")\x1b[2J.mp4'
    assert shown.startswith(f'{name}\n') and r'  a dog\x07!' in shown
    assert shown.replace('\n', '').isprintable()
    with open('labels.csv', newline='', encoding='utf-8') as file:
        _, *rows = csv.reader(file)
    assert {row[0] for row in rows} == {f"'{name}"}
    assert {row[2] for row in rows} == {"'@SUM (A1)", "'-2 + 3", r'a dog\x07!'}
    line = run(monkeypatch, 'search', 'label', *MODEL, '\x1b[2Jgone.mp4', '--classes', 'a', 'b')
    assert line.startswith(r'error: \x1b[2Jgone.mp4 is missing')


def test_a_sheet_shows_the_first_middle_and_last_frame(tmp_path, monkeypatch):
    video = write_video(tmp_path / 'grey.mp4', num_frames=12)
    grey = [frame.mean() / GREY_STEP for frame in read_three(str(video))]
    np.testing.assert_allclose(grey, [0, 6, 11], atol=0.3)
    gone = str(tmp_path / ('$x_' + 'long' * 40 + '.mp4'))
    draw_sheet([Hit(str(video), 0, 1.2, 0.5), Hit(gone, 0, 0, 0.25)], '50 $ and $',
               tmp_path / 'sheet.png')
    pixels = np.asarray(Image.open(tmp_path / 'sheet.png').convert('RGB')).astype(int)
    assert pixels.shape[1] == 900 and len(list(tmp_path.iterdir())) == 2
    for frame in (0, 6, 11):  # each of them fills a good part of a row
        assert (np.abs(pixels - GREY_STEP * frame).max(axis=2) <= 4).sum() > 20000
    assert shorten(gone).startswith('...') and len(shorten(gone)) == 90
    draw_sheet([], 'nothing', tmp_path / 'none.png')


def test_queries_of_several_things_as_json(videos, world, monkeypatch, capsys):
    assert make_index(monkeypatch) is None
    made = opened()
    for args, query in (
            (('--text', TEXT, 'a dog', '--without', 'rain'),
             Query((TEXT, 'a dog'), without='rain')),
            (('--text', TEXT, '--time'), Query(TEXT, mode='time')),
            (('--like', *videos[:2], '--scope', 'videos'), Query(videos=videos[:2]))):
        capsys.readouterr()
        assert run(monkeypatch, 'search', 'query', *MODEL, *INDEX, '--json', '--top', 3, *args
                   ) is None
        assert json.loads(capsys.readouterr().out) == [
            hit._asdict() for hit in made.search(query, top=3)]


def test_the_tool_draws_a_sheet(videos, monkeypatch):
    assert make_index(monkeypatch) is None
    assert run(monkeypatch, 'search', 'query', *MODEL, *INDEX, '--text', TEXT, '--top', 2,
               '--sheet', 'two.png') is None
    assert Image.open('two.png').size == (900, 540)


@pytest.mark.parametrize('args, line', [
    (('index', *MODEL, 'nowhere', *INDEX), 'nowhere is missing: name videos, or folders'),
    (('index', *MODEL, 'empty', *INDEX), 'no videos in empty'),
    (('index', *MODEL, 'videos', '--index', 'config.py'), '--index config.py is a file; name a'),
    (('index', *MODEL, 'videos', '--index', 'videos'), 'videos is no index'),
    (('index', *MODEL, 'videos', *INDEX, '--save-every', 0), '--save-every must be at least 1'),
    (('index', *MODEL, 'videos', *INDEX, '--batch-size', 0), 'batch_size must be at least 1'),
    (('index', *MODEL, 'bad.mp4', *INDEX, '--on-broken', 'error', '--workers', 0),
     'bad.mp4 is empty'),
    (('index', *MODEL, 'videos', *INDEX, '--device', 'abacus'), '--device abacus cannot be used'),
    (('index', 'no.py', 'weights.pth', 'videos', *INDEX), 'no.py: No such file'),
    (('index', 'config.py', 'no.pth', 'videos', *INDEX), 'checkpoint no.pth is missing'),
    (('index', ROOT / 'configs/pretrain_webvid.py', 'weights.pth', 'videos', *INDEX),
     'no test_dataloader whose pipeline reads a video'),
    (('query', *MODEL, '--index', 'no', '--text', 'a'), 'index no is missing: make it'),
    (('query', *MODEL, '--index', 'videos', '--text', 'a'), 'index videos is missing'),
    (('query', *MODEL, '--index', 'videos'), 'a query needs a text, a video or an image'),
    (('query', *MODEL, '--index', 'videos', '--text', ' '), 'is empty or no text'),
    (('label', *MODEL, 'videos', '--classes', 'no.txt'), '--classes no.txt: no such file'),
    (('label', *MODEL, 'videos', '--classes', 'a', 'a'), "class 'a' is named twice"),
    (('label', *MODEL, 'videos', '--classes', 'a', 'b', '--top', 0), 'top must be at least 1'),
    (('label', *MODEL, 'videos', '--classes', 'a', 'b', '--temperature', 0), 'temperature must'),
])
def test_bad_input_is_one_line(world, monkeypatch, args, line):
    Path('empty').mkdir()
    Path('bad.mp4').touch()
    message = run(monkeypatch, 'search', *args)
    assert message.startswith('error: ') and '\n' not in message
    assert re.search(re.escape(line), message)


def test_paths_below_the_working_folder_are_short(world):
    assert shown(str(world / 'videos/a.mp4')) == 'videos/a.mp4'
    assert shown(str(world.parent / 'a.mp4')) == str(world.parent / 'a.mp4')
