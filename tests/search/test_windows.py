"""How videos are cut, and their windows' clips, against the whole pipeline on files cut out."""
import gc
import os
import signal
from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmbt.apis import VideoSearch
from mmbt.datasets import VideoReadError
from mmbt.reading import Video, process
from mmbt.reading.feeder import Feeder, TableBroken
from mmbt.search.encoder import Encoder, distinct_frames
from mmbt.search.window_clips import WindowReader
from mmbt.search.windows import Window, WindowPlan, clock, default_plan, plan_windows

from .search_world import new_search

PLAN = WindowPlan(4, 2)


def write_film(path, greys, rate, key_every=12):
    """Frame i is plain grey of ``greys[i]``, without loss, with B-frames between key frames."""
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=rate, options=dict(
            crf='0', g=str(key_every), preset='veryfast', bf='2', threads='1'))
        stream.width, stream.height, stream.pix_fmt = 32, 32, 'yuv444p'
        for grey in greys:
            picture = np.full((32, 32, 3), grey, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        file.mux(stream.encode())
    return str(path)


def test_windows_by_hand():
    assert plan_windows(3, PLAN) == [(0, 3)]
    assert plan_windows(4, PLAN) == [(0, 4)]
    assert plan_windows(8, PLAN) == [(0, 4), (2, 6), (4, 8)]
    assert plan_windows(9, PLAN) == [(0, 4), (2, 6), (4, 8), (5, 9)]
    assert plan_windows(0, PLAN) == [(0, 0)]
    assert plan_windows(9, PLAN, cuts=[5.5]) == [(0, 4), (1.5, 5.5), (5.5, 9)]
    assert default_plan(12) == WindowPlan(12, 6) and default_plan(1) == WindowPlan(1, .5)


@pytest.mark.parametrize('stride', [.7, 1, 3.3, 4])
def test_windows_cover_all_of_any_video(stride):
    plan = WindowPlan(4, stride)
    for duration in np.random.default_rng(0).uniform(.1, 60, 200):
        found = plan_windows(duration, plan)
        assert found[0].start == 0 and found[-1].end == duration
        assert all(a.start < b.start <= a.end + 1e-9 for a, b in zip(found, found[1:]))
        lengths = [end - start for start, end in found]
        assert np.allclose(lengths, 4, atol=2e-3) or len(found) == 1 and duration <= 4 + 1e-3


@pytest.mark.parametrize('make, line', [
    (lambda: WindowPlan(4, 5), '0 < stride <= length, in seconds, got a stride of 5'),
    (lambda: WindowPlan(0, 0), '0 < stride <= length'),
    (lambda: WindowPlan(float('inf'), 1), '0 < stride <= length'),
    (lambda: plan_windows(1e9, PLAN), 'lasts 277,778 hours, more than 100,000 windows'),
    (lambda: plan_windows(float('nan'), PLAN), 'cannot last nan s'),
])
def test_bad_plans_are_one_line(make, line):
    with pytest.raises(ValueError, match=line) as error:
        make()
    assert '\n' not in str(error.value)


def test_a_time_is_shown_as_players_do():
    assert [clock(t) for t in (0, 9.9, 247, 3723)] == ['0:00', '0:09', '4:07', '1:02:03']


@pytest.mark.parametrize('by', ['time', 'frame'])
def test_a_window_is_what_a_file_of_it_alone_would_be(world, by):
    """Every frame's grey tells its number: clips are those of the pipeline on cut-out files."""
    greys = np.arange(52) * 4 + 20
    film = write_film('film.mp4', greys, rate=4)  # 13 s
    config = new_search().encoder
    config.pipeline[0]['by'] = by
    encoder = Encoder(config.model, config.pipeline, 9)
    found = list(encoder.reader.clips(film, PLAN))
    spans = [(0, 4), (2, 6), (4, 8), (6, 10), (8, 12), (9, 13)]
    assert [place for _, place, _ in found] == [0, 1, 2, 3, 4, 5]
    for (timeline, place, clip), (start, end) in zip(found, spans):
        assert timeline.duration == 13 and timeline.windows == spans
        alone = write_film(f'{start}.mp4', greys[4 * start:4 * end], rate=4)
        assert np.array_equal(clip, encoder.clip(alone)), place
    got = encoder.windows(film, PLAN, batch_size=4)
    rows, means = encoder.videos_and_means([clip for _, _, clip in found])
    np.testing.assert_allclose(got.embeddings, rows, atol=1e-6)
    np.testing.assert_allclose(got.baseline, means, atol=1e-6)
    assert got.windows == spans and np.abs(rows - means).max() > 1e-3


def test_the_frame_mean_is_that_of_the_model_of_that_name(videos):
    config = Config.fromfile('config.py')
    config.model.backbone = dict(type='FrameMean')
    plain, ours = VideoSearch.from_config(config), new_search().encoder
    plain.encoder.model.trunk.load_state_dict(ours.model.trunk.state_dict())
    clips = [ours.clip(path) for path in videos[:3]]
    rows, none = plain.encoder.videos_and_means(clips)
    assert none is None and plain.encoder.windows(videos[0]).baseline is None
    np.testing.assert_allclose(ours.videos_and_means(clips)[1], rows, atol=1e-6)


def test_frames_that_are_alike_run_through_the_trunk_once(videos, monkeypatch):
    encoder = new_search().encoder
    one, other = (encoder.clip(path) for path in videos[:2])
    clips = [one, other[[0, 1, 0, 1]], torch.cat([one[2:], other[:2]]), one[[3, 3, 3, 3]]]
    alone = [encoder.model.encode(encoder._normalised([clip])) for clip in clips]
    seen, states = [], encoder.model.trunk.hidden_states

    def hidden_states(imgs, *args):
        if isinstance(imgs, torch.Tensor):
            seen.append(imgs.shape[:2])
        return states(imgs, *args)

    monkeypatch.setattr(encoder.model.trunk, 'hidden_states', hidden_states)
    together = encoder._encode(clips)
    assert seen == [(1, 6)]  # four of one, two of the other
    for name in ('video', 'clip_tokens', 'clip_cls', 'branch_tokens', 'branch_cls'):
        expected = torch.cat([getattr(each, name) for each in alone])
        torch.testing.assert_close(getattr(together, name), expected, atol=1e-5, rtol=1e-5)
    frames, places = distinct_frames(clips)
    assert places.tolist() == [[0, 1, 2, 3], [4, 5, 4, 5], [2, 3, 4, 5], [3, 3, 3, 3]]
    assert torch.equal(frames, torch.cat([one, other[:2]]))
    with pytest.raises(ValueError, match='clips of one batch differ in shape'):
        encoder.videos([one, other[:, :, :4]])


def test_each_frame_is_read_once_and_few_are_held(world, monkeypatch):
    film = write_film('film.mp4', np.arange(400) % 200 + 20, rate=4)  # 100 s
    asked, passed = [], []
    stream = process.ReadingProcess.stream

    def watched(self, path, choose, *rest):
        def chosen(facts):
            asked.append(choose(facts))
            return asked[-1]

        for each in stream(self, path, chosen, *rest):
            passed.append(each[1])
            yield each

    monkeypatch.setattr(process.ReadingProcess, 'stream', watched)
    monkeypatch.setattr(process, 'PASSED', 3 * 32 * 32 * 5)  # five frames at a time
    held = []
    clip = WindowReader._clip
    monkeypatch.setattr(WindowReader, '_clip', lambda self, path, wanted, place, pictures: (
        held.append(len(pictures)) or clip(self, path, wanted, place, pictures)))
    got = new_search().encoder.windows(film, PLAN)
    numbers, = asked
    assert sum(passed, []) == numbers == sorted(set(numbers))
    assert max(map(len, passed)) == 5 and max(held) <= 4 + 5
    assert len(got.windows) == 49 and len(numbers) == 100  # 4 x 49 without sharing


def test_the_reading_process_is_left_as_it_was(world):
    """One that is given up, one beside another, and files that cannot be read."""
    film = write_film('film.mp4', np.arange(120) + 20, rate=4)
    encoder = new_search().encoder
    whole = encoder.windows(film, PLAN).embeddings
    clips = encoder.reader.clips(film, PLAN)
    next(clips)
    np.testing.assert_allclose(encoder.windows(film, PLAN).embeddings, whole)  # beside it
    clips.close()
    np.testing.assert_allclose(encoder.windows(film, PLAN).embeddings, whole)
    for name, why in (('no.mp4', 'is missing'), ('config.py', 'not a video')):
        with pytest.raises(VideoReadError, match=why):
            encoder.windows(name, PLAN)
    np.testing.assert_allclose(encoder.windows(film, PLAN).embeddings, whole)


@pytest.mark.parametrize('number, why', [
    (signal.SIGKILL, 'film.mp4 cannot be decoded: the decoder was killed'),
    (signal.SIGSTOP, 'film.mp4 took longer than 0.5')])
def test_a_stream_that_hangs_or_dies_is_a_broken_video(world, monkeypatch, number, why):
    film = write_film('film.mp4', np.arange(400) % 200 + 20, rate=4)
    monkeypatch.setattr(process, 'PASSED', 3 * 32 * 32 * 5)
    encoder = new_search().encoder
    encoder.reader.reader.deadline = .5
    clips = encoder.reader.clips(film, PLAN)
    next(clips)
    for reading in living():
        os.kill(reading.popen.pid, number)
    with pytest.raises(VideoReadError, match=why):
        list(clips)
    assert len(encoder.windows(film, PLAN).windows) == 49


def living():
    """The reading processes that live."""
    return [each for each in gc.get_objects()
            if type(each) is process.ReadingProcess and each.alive]


def test_decoding_in_order_gives_the_same_windows(world, monkeypatch):
    """A raw stream has no times: the file is decoded from its start, and once only."""
    greys = np.arange(200) + 20
    film, raw = (write_film(name, greys, rate=25) for name in ('film.mp4', 'film.h264'))
    with Video(raw) as video:
        assert video.facts.in_order and not video.facts.timed
    reader = new_search().encoder.reader
    found, same = (list(reader.clips(path, PLAN)) for path in (raw, film))
    assert len(found) == 3
    for (timeline, place, clip), (expected, _, other) in zip(found, same):
        assert timeline == expected and np.array_equal(clip, other), place


@pytest.mark.parametrize('breaks', [0, 1, 2, 3])
def test_a_stream_goes_on_where_the_table_does_not_hold(world, monkeypatch, breaks):
    """Without jumps, and then in order; what came before does not come again."""
    film = write_film('film.mp4', np.arange(200) + 20, rate=25)
    wanted = [0, 3, 4, 50, 51, 120, 199]
    with Video(film) as video:
        expected = video.read(wanted)[0]
    frames, left = Feeder.frames, [0] + [1] * breaks  # the first is for the first frame

    def breaking(self, numbers):
        breaks_now = left.pop(0) if left else 0
        for count, each in enumerate(frames(self, numbers)):
            if breaks_now and count == 2:
                raise TableBroken('as if')
            yield each

    monkeypatch.setattr(Feeder, 'frames', breaking)
    with Video(film) as video:
        got = list(video.stream(wanted))
        assert video.facts.in_order == (breaks >= 2)
    assert [number for number, _ in got] == wanted
    assert all(np.array_equal(a, b) for (_, a), b in zip(got, expected))


def test_a_film_that_turns_out_to_be_another_is_cut_anew(world, monkeypatch):
    """The table says 100 s, decoding finds 13 s: its first windows are taken back."""
    encoder = new_search().encoder
    film = write_film('film.mp4', np.arange(52) * 4 + 20, rate=4)
    expected = encoder.windows(film, PLAN)
    stream = process.ReadingProcess.stream

    def turning(self, path, choose, *rest):
        real = list(stream(self, path, choose, *rest))
        long = replace(real[0][0], total_frames=400, seconds=100., times=np.arange(400) / 4)
        numbers = choose(long)[:20]
        yield long, numbers, [real[0][2][0]] * 20
        choose(real[0][0])
        yield from real

    monkeypatch.setattr(process.ReadingProcess, 'stream', turning)
    search = new_search()
    got = search.encoder.windows(film, PLAN, batch_size=3)
    assert got.windows == expected.windows and got.duration == 13
    np.testing.assert_allclose(got.embeddings, expected.embeddings, atol=1e-6)
    search.plan = PLAN
    assert search.add(film, batch_size=3) == 1
    assert search.index.windows_of(os.path.abspath(film))[0] == expected.windows


def test_what_has_no_time_is_one_window(world):
    (world / 'frames').mkdir()
    for number in range(6):
        Image.new('RGB', (32, 32), (40 * number,) * 3).save(world / f'frames/img_{number:05}.jpg')
    encoder = new_search().encoder
    for path in ('frames', 'frames/img_00003.jpg'):
        got = encoder.windows(str(world / path))
        assert got.duration == 0 and got.windows == [Window(0, 0)]
        np.testing.assert_allclose(got.embeddings, encoder.videos([encoder.clip(path)]), atol=1e-6)
    picture = np.asarray(Image.open('frames/img_00003.jpg'))
    np.testing.assert_allclose(encoder.images([picture, 'frames/img_00003.jpg'])[0],
                               got.embeddings[0], atol=1e-5)
