"""Moments from end to end, with an encoder of mean colours in the place of the model's."""
import logging
import os
import re
import shutil
import threading
import time

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmbt.apis import VideoSearch
from mmbt.datasets import VideoReadError
from mmbt.search import encoder as encoders
from mmbt.search.memory_index import MemoryIndex
from mmbt.search.query import Hit, Query
from mmbt.search.sheet import draw_sheet, read_three
from mmbt.search.windows import WindowPlan

from .colours import COLOURS, write_film
from .search_world import new_search, write_clip


class OfColours:
    """Encodes a clip as its mean colour, and as a 'frame mean' its first frame's."""

    has_baseline = True

    def __init__(self, reader):
        self.reader = reader
        self.plan = WindowPlan(4, 2)
        self.clips = 0

    def videos_and_means(self, clips):
        self.clips += len(clips)
        rows = [clip.double().mean(dim=(0, 2, 3)).numpy() for clip in clips]
        first = [clip[0].double().mean(dim=(1, 2)).numpy() for clip in clips]
        return unit(rows), unit(first)

    windows = encoders.Encoder.windows

    def texts(self, texts):
        return unit([COLOURS[text] for text in texts])

    def images(self, images):
        return self.videos_and_means([self.clip(path) for path in images])[0]

    def clip(self, path):
        (_, _, clip), = self.reader.clips(path, self.plan)
        return clip


def unit(rows):
    rows = np.asarray(rows, np.float32).reshape(-1, 3)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def search(world):
    search = new_search()
    search.encoder = OfColours(search.encoder.reader)
    search.plan = search.encoder.plan
    search._take(MemoryIndex(3))
    return search


def test_the_green_minute_of_ten_grey_ones_is_found(search, world):
    film = write_film('film.mp4', ('grey', 240), ('green', 60), ('grey', 300))
    other = write_film('other.mp4', ('grey', 20), ('red', 20))
    start = time.monotonic()
    assert search.add(['film.mp4', 'other.mp4'], batch_size=32) == 2
    hit, = search.search('green', top=1)
    assert hit.path == os.path.abspath(film) and hit.score > .99
    assert abs(hit.start - 240) <= 2 and abs(hit.end - 300) <= 2  # a stride
    assert time.monotonic() - start < 3
    assert search.index.count_windows() == 299 + 19 == search.encoder.clips
    first, *_ = search.search('red', top=3)
    assert first.path == os.path.abspath(other) and first.end == 40 and 18 <= first.start <= 20


def test_queries_of_several_kinds(search, world):
    film = write_film('film.mp4', ('red', 20), ('grey', 20), ('green', 20), ('blue', 20))
    Image.new('RGB', (32, 32), (0, 0, 200)).save('blue.png')
    write_film('green.mp4', ('green', 3))
    search.add([film])

    def best(**query):
        hit, = search.search(Query(**query), top=1)
        assert hit.path == os.path.abspath(film)
        return hit.start, hit.end

    def about(start, end):
        return pytest.approx((start, end), abs=2)

    assert best(images=('blue.png',)) == about(60, 80)
    assert best(videos=('green.mp4',)) == about(40, 60)
    assert best(texts=('green', 'blue')) == about(58, 62)  # the windows that show both
    assert best(texts='grey', without=('green', 'blue')) == about(0, 20)  # what is left of it: red
    assert best(texts=('grey', 'red'), without='red') == about(58, 62)  # green and blue are left
    cut = search.search(Query('blue', mode='time'), top=1)[0]
    assert 56 <= cut.start < cut.end <= 64  # begins green, and goes on to be blue
    assert cut.score == pytest.approx(max(
        each.score for each in search.index.scores(os.path.abspath(film), np.float32([0, 0, 1]),
                                                   'time')))
    search._take(MemoryIndex(3))
    search.encoder.has_baseline = False
    rows = search.encoder.videos_and_means
    search.encoder.videos_and_means = lambda clips: (rows(clips)[0], None)
    search.add([film])
    with pytest.raises(ValueError, match="^the mode 'time' needs a branch beside[^\n]*$"):
        search.search(Query('blue', mode='time'))


def test_a_folder_is_a_scope(search, world):
    for folder in ('one', 'one/deep', 'onemore'):
        (world / folder).mkdir()
        write_film(f'{folder}/{folder[:3]}{len(folder)}.mp4', ('green', 4 + len(folder)))
    assert search.add_folder('one') == 2 and search.add_folder('onemore') == 1
    found = {hit.path for hit in search.search(Query('green', scope='one'))}
    assert found == {str(world / 'one/one3.mp4'), str(world / 'one/deep/one8.mp4')}
    assert len(search.search('green')) == 3
    assert search.search(Query('green', scope=str(world / 'onemore/one7.mp4')), 1)[0].end == 11
    with pytest.raises(ValueError, match='^no video of the index lies in [^\n]*/two$'):
        search.search(Query('green', scope='two'))
    (world / 'empty').mkdir()
    with pytest.raises(ValueError, match='^no videos in empty: none of its files ends in .mp4'):
        search.add_folder('empty')
    with pytest.raises(FileNotFoundError, match='^nowhere is no folder: name one'):
        search.add_folder('nowhere')


def test_links_and_copies_are_one_video(search, world):
    film = write_film('a.mp4', ('green', 10))
    write_film('b.mp4', ('red', 10))
    os.symlink('a.mp4', 'link.mp4')
    os.link('a.mp4', 'hard.mp4')
    shutil.copy('a.mp4', 'copy.mp4')
    os.symlink('.', 'folder')
    names = ['a.mp4', 'link.mp4', 'folder/a.mp4', 'hard.mp4', 'copy.mp4', 'b.mp4']
    assert search.add(names) == 2
    assert search.paths == [str(world / 'a.mp4'), str(world / 'b.mp4')]
    assert search.copies == {str(world / name): str(world / 'a.mp4') for name in names[1:5]}
    assert [hit.path for hit in search.search('green')] == search.paths
    done = search.encoder.clips
    assert search.add(names) == 0 and search.label('copy.mp4', ['red', 'green'])[0][0] == 'green'
    assert search.encoder.clips == done  # it is the index's
    write_film('copy.mp4', ('blue', 10))  # is one no longer, before and after it is added
    assert search.label('copy.mp4', ['red', 'green', 'blue'])[0][0] == 'blue'
    assert search.add(names) == 1 and str(world / 'copy.mp4') not in search.copies
    shutil.copy('b.mp4', 'copy.mp4')  # one of another, in the place of what was indexed
    assert search.add(names) == 0 and search.copies[str(world / 'copy.mp4')] == search.paths[1]
    assert len(search) == 2
    os.remove(film)
    os.remove('hard.mp4')
    assert search.drop_missing() == [str(world / 'a.mp4')]
    assert len(search) == 1 and str(world / 'link.mp4') not in search.copies


def test_broken_videos_keep_their_reason_until_they_change(search, world, monkeypatch):
    open('broken.mp4', 'w').write('no video')
    shutil.copy('broken.mp4', 'again.mp4')
    paths = [str(world / name) for name in ('broken.mp4', 'again.mp4')]
    assert search.add(paths) == 0 and list(search.broken) == paths and len(search) == 0
    assert all('not a video' in why for why in search.broken.values())
    tried = []
    clips = search.encoder.reader.clips
    monkeypatch.setattr(search.encoder.reader, 'clips', lambda path, plan: (
        tried.append(path) or clips(path, plan)))
    assert search.add(paths) == 0 and tried == []
    with pytest.raises(VideoReadError, match='not a video'):
        search.add(paths, on_broken='error')
    search.add(paths, retry=True)
    write_film('broken.mp4', ('red', 3))
    assert search.add(paths) == 1 and list(search.broken) == paths[1:]
    assert tried == [paths[0], paths[0], paths[0]]


def test_labels_over_time(search, world):
    film = write_film('film.mp4', ('red', 8), ('blue', 8))
    names = ['red', 'green', 'blue']
    for _ in ('not in the index', 'in the index'):
        found = search.label(film, names, top=1, over_time=True)
        assert [(start, end) for start, end, _ in found] == [
            (0, 4), (2, 6), (4, 8), (6, 10), (8, 12), (10, 14), (12, 16)]
        best = [labels[0][0] for _, _, labels in found]
        assert best[:3] == ['red'] * 3 and best[4:] == ['blue'] * 3
        assert all(len(labels) == 1 for _, _, labels in found)
        search.add([film])
    row = unit([COLOURS['red']])[0] @ unit([COLOURS[name] for name in names]).T
    cosines = search.index.windows_of(os.path.abspath(film))[1][0] @ np.eye(3)
    expected = np.exp(cosines / .01 - row.max() / .01)
    got = dict(search.label(film, names, over_time=True)[0].labels)
    np.testing.assert_allclose([got[name] for name in names], expected / expected.sum(), atol=1e-5)
    assert dict(search.label(film, names))['green'] < .01


def test_workers_read_long_and_short_videos_in_order(search, world):
    names = [write_film(f'{number}.mp4', ('green', 40 if number == 1 else 3 + number),
                        ('red', 3)) for number in range(6)]
    told = []
    assert search.add([*names, 'no.mp4'], workers=3, batch_size=4,
                      progress=lambda *counts: told.append(counts)) == 6
    assert search.paths == [os.path.abspath(name) for name in names]
    assert told == sorted(told) and told[-1] == (7, 7) and list(search.broken)
    rows = {path: search.index.windows_of(path) for path in search.paths}
    search._take(MemoryIndex(3))
    search.add(names)
    for path, (windows, embeddings) in rows.items():
        assert search.index.windows_of(path)[0] == windows
        np.testing.assert_allclose(search.index.windows_of(path)[1], embeddings, atol=1e-6)


def test_a_failing_encoder_stops_the_workers(search, world):
    names = [write_film(f'{number}.mp4', ('green', 60 + number)) for number in range(4)]

    def fail(clips):
        raise RuntimeError('no memory')

    search.encoder.videos_and_means = fail
    with pytest.raises(RuntimeError, match='no memory'):
        search.add(names, workers=2)
    for thread in threading.enumerate():
        if thread.name.startswith('reads '):
            thread.join(10)
            assert not thread.is_alive()


def test_a_sheet_shows_the_frames_that_matched(world):
    film = write_film('film.mp4', ('red', 10), ('green', 10), ('blue', 10))
    for start, end, colours in ((10, 20, 'green green green'), (8, 22, 'red green blue'),
                                (0, 0, 'red green blue'), (20, 30, 'blue blue blue')):
        for frame, colour in zip(read_three(film, start, end), colours.split(), strict=True):
            assert frame.mean(axis=(0, 1)).argmax() == np.argmax(COLOURS[colour])
    draw_sheet([Hit(film, 10, 20, .5), Hit('gone.mp4', 0, 1, .4)], 'green', 'sheet.png',
               name=os.path.basename)
    pixels = np.asarray(Image.open('sheet.png').convert('RGB')).astype(int)
    assert ((pixels[..., 1] > 150) & (pixels[..., 0] < 60)).sum() > 60000
    assert not ((pixels[..., 0] > 150) & (pixels[..., 1] < 60)).any()


@pytest.mark.parametrize('text, line', [
    ('собака бежит по снегу', "breaks 'собака бежит по снегу' up into .* ask in English"),
    ('犬が雪の上を走る', 'of 8 letters, so that it hardly knows its language'),
    ('one two three four five six seven eight nine', 'is too long: the model reads its first 7 '
     'tokens of 9; say it shorter'),
    ('un café près du parc', ''), ('a dog runs', ''), ('a b c d', '')])
def test_a_text_that_is_not_read_as_meant_is_told(world, monkeypatch, text, line):
    said = []
    monkeypatch.setattr(encoders, 'print_log', lambda line, **how: said.append((line, how)))
    encoder = new_search().encoder
    encoder.texts([text])
    assert len(said) == bool(line)
    for told, how in said:
        assert re.search(line, told) and '\n' not in told and how['level'] == logging.WARNING


def test_windows_end_at_shots(world):
    pytest.importorskip('scenedetect')
    film = write_film('film.mp4', ('red', 5), ('grey', 7), ('dark', 6))
    reader = new_search().encoder.reader
    timeline = next(reader.clips(film, WindowPlan(4, 2, shots=True)))[0]
    borders = [(0, 4), (1, 5), (5, 9), (7, 11), (8, 12), (12, 16), (14, 18)]
    assert timeline.windows == borders
    for _, _, clip in reader.clips(film, WindowPlan(4, 2, shots=True)):
        assert clip.float().std(dim=0).max() < 8  # one colour
    write_clip(world / 'short.mp4', 3)
    assert len(list(reader.clips('short.mp4', WindowPlan(4, 2, shots=True)))) == 1


def test_a_folder_keeps_the_moments_and_their_windows(videos, world, monkeypatch):
    search = new_search()
    search.plan = WindowPlan(.5, .25)
    search.open('index', create=True)
    assert search.add([*videos, 'no.mp4']) == 5
    expected = search.search(Query('a man opens a door', mode='time'))
    again = new_search()
    again.open('index')
    assert again.plan == WindowPlan(.5, .25) and sorted(again.paths) == videos
    assert again.search(Query('a man opens a door', mode='time')) == expected
    assert again.index.count_windows() == 15 and list(again.broken) == [str(world / 'no.mp4')]
    assert again.add(videos) == 0
    assert 'windows' in again.index.made_by and len(again) == 5
    other = Config.fromfile('config.py')
    other.model.backbone.num_layers = 2
    with pytest.raises(ValueError, match='^index [^\n]*was made [^\n]*make it anew[^\n]*$'):
        VideoSearch.from_config(other).open('index')
    with pytest.raises(ValueError, match='^index [^\n]*was made [^\n]*windows[^\n]*$'):
        VideoSearch.from_config('config.py', 'weights.pth', plan=WindowPlan(4, 2)).open('index')
    with pytest.raises(FileNotFoundError, match='^index nowhere is missing'):
        again.open('nowhere')
    with pytest.raises(ValueError, match='^[^\n]*videos is no index and not empty[^\n]*$'):
        again.open('videos', create=True)
    assert len(again) == 5


def test_a_text_and_a_video_whose_files_are_gone_still_find(videos):
    """By what the index holds; and the whole video is the mean of its windows."""
    search = new_search()
    search.plan = WindowPlan(.5, .25)
    search.add(videos)
    windows, rows = search.windows_of(videos[0])
    assert len(windows) == 3
    mean = rows.mean(axis=0)
    os.remove(videos[0])
    np.testing.assert_allclose(search.embedding(videos[0]), mean / np.linalg.norm(mean), atol=1e-6)
    found = search.search(Query(videos=(videos[0],)), top=5)
    assert found[0].path == videos[0] and search.similar(videos[0])[0].path != videos[0]
