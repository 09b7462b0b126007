"""Which frames ReadFrames takes: by frame, by time, near, in each mode, and drawn anew."""
import pickle
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from mmaction.datasets.transforms import UniformSample

from mmbt.datasets import ReadFrames, VideoReadError
from mmbt.datasets.transforms import reading
from mmbt.datasets.transforms.sampling import FirstMiddleLast, UniformTimeSample, frames_shown
from mmbt.lab.benchmark.data import write_clip
from mmbt.reading import VideoFacts, probe

RED, LIME = (255, 0, 0), (0, 255, 0)
UNEVEN = [*np.arange(5) / 5, *(1 + np.arange(60) / 60)]  # seconds


@pytest.fixture(scope='module')
def uneven(tmp_path_factory):
    """Two seconds: one of 5 red frames, one of 60 green ones."""
    path = str(tmp_path_factory.mktemp('clips') / 'uneven.mp4')
    with av.open(path, 'w') as container:
        stream = container.add_stream('libx264', rate=60)
        stream.width, stream.height, stream.pix_fmt = 32, 32, 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 60)
        for second in UNEVEN:
            picture = np.full((32, 32, 3), RED if second < 1 else LIME, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = round(second * 60), Fraction(1, 60)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope='module', params=[250, 10])
def clip(request, tmp_path_factory):
    """A clip of 60 frames whose key frames are the first alone, or every tenth."""
    return str(write_clip(tmp_path_factory.mktemp('clips') / 'a.mp4', group=request.param,
                          seconds=2, size=(128, 96)))


@pytest.fixture(scope='module')
def decoded(clip):
    """All of its frames, in the order of decoding."""
    with av.open(clip) as container:
        return [frame.to_ndarray(format='rgb24').astype(int)
                for frame in container.decode(video=0)]


def is_red(picture):
    """Whether a picture is red, and not green."""
    return bool(picture[..., 0].mean() > picture[..., 1].mean())


def test_half_of_the_time_is_half_of_the_frames_by_time(uneven):
    """12 frames of 2 s: shown at 1/12, 3/12, ... s, of which six are in the red second."""
    assert probe(uneven).seconds == pytest.approx(2, abs=1e-3)
    found = ReadFrames(12, test_mode=True, by='time')(dict(filename=uneven))
    assert found['frame_inds'].tolist() == [0, 1, 2, 2, 3, 4, 10, 20, 30, 40, 50, 60]
    assert [is_red(picture) for picture in found['imgs']] == [True] * 6 + [False] * 6
    found = ReadFrames(12, test_mode=True)(dict(filename=uneven))
    assert found['frame_inds'].tolist() == [2, 7, 13, 18, 23, 29, 34, 39, 45, 50, 55, 61]
    assert [is_red(picture) for picture in found['imgs']] == [True] + [False] * 11


def test_several_clips_by_time():
    """Two clips of two segments of 1 s: at 1/3 and 4/3 s, and at 2/3 and 5/3 s."""
    results = dict(total_frames=65, start_index=0, times=np.array(UNEVEN), seconds=2.)
    found = UniformTimeSample(2, num_clips=2, test_mode=True).transform(results)
    assert found['frame_inds'].tolist() == [1, 25, 3, 45]
    assert (found['clip_len'], found['num_clips']) == (2, 2)


@pytest.mark.parametrize('isolated', [True, False])
def test_training_by_time_draws_a_time_of_each_segment(uneven, isolated):
    read = ReadFrames(4, by='time', isolated=isolated)
    times = probe(uneven).times
    for seed in range(5):
        np.random.seed(seed)
        found = read(dict(filename=uneven))['frame_inds'].tolist()
        after = np.random.rand()
        np.random.seed(seed)
        expected = []
        for segment, share in enumerate(np.random.random_sample(4)):
            at = (segment + share) / 2
            expected.append(max(frame for frame, time in enumerate(times) if time <= at + 1e-6))
        assert found == expected and after == np.random.rand()


def test_a_frame_is_shown_until_the_next():
    times = np.array([0, 1 / 3, 0.4, 2])
    at = np.array([-1, 0, 0.333333, 0.39, 0.4, 1.9, 2, 99])
    assert frames_shown(times, at).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_first_middle_and_last_are_so_in_time(uneven):
    results = dict(total_frames=65, start_index=0, times=np.array(UNEVEN), seconds=2.)
    assert FirstMiddleLast().transform(results)['frame_inds'].tolist() == [0, 5, 64]
    results = dict(total_frames=12, start_index=1)
    assert FirstMiddleLast().transform(results)['frame_inds'].tolist() == [1, 7, 12]


@pytest.mark.parametrize('by', ['frame', 'time'])
@pytest.mark.parametrize('test_mode', [True, False])
def test_every_way_takes_the_same_frames(uneven, by, test_mode):
    """In a process of its own or not, cached or not, once pickled: frames and draws alike."""
    found = []
    for arguments in (dict(), dict(isolated=False), dict(cache=True),
                      dict(cache=True, isolated=False)):
        read = pickle.loads(pickle.dumps(ReadFrames(3, test_mode, by=by, **arguments)))
        np.random.seed(1)
        found.append((read(dict(filename=uneven)), np.random.rand()))
    (first, after), others = found[0], found[1:]
    assert set(first) == {'filename', 'start_index', 'modality', 'total_frames', 'avg_fps',
                          'frame_inds', 'clip_len', 'num_clips', 'frame_interval', 'imgs',
                          'img_shape', 'original_shape'}
    assert first['total_frames'] == 65 and first['avg_fps'] == pytest.approx(32.5, abs=0.1)
    for other, then in others:
        assert then == after and first['frame_inds'].tolist() == other['frame_inds'].tolist()
        assert all(np.array_equal(a, b) for a, b in zip(first['imgs'], other['imgs']))


@pytest.mark.parametrize('isolated', [True, False])
def test_frames_are_drawn_anew_where_decoding_finds_others(uneven, monkeypatch, isolated):
    """The draw is the one that the right number of frames would have had at once."""
    def read(path, choose, **kwargs):
        facts = probe(path)
        choose(VideoFacts(**dict(vars(facts), total_frames=30, times=facts.times[:30])))
        return real(path, choose, **kwargs)

    real = getattr(reading, 'read_isolated' if isolated else 'read_frames')
    expected, after = draw(uneven, 3, isolated=isolated)
    monkeypatch.setattr(reading, real.__name__, read)
    found, then = draw(uneven, 3, isolated=isolated)
    assert found['frame_inds'].tolist() == expected['frame_inds'].tolist() and then == after


def draw(path, seed, **kwargs):
    """A training sample, and the random number drawn after it."""
    np.random.seed(seed)
    results = ReadFrames(4, **kwargs)(dict(filename=path))
    return results, np.random.rand()


def test_training_draws_are_mmaction2_s(clip, decoded):
    sample = UniformSample(clip_len=4)
    for seed in range(10):
        found, after = draw(clip, seed)
        np.random.seed(seed)
        theirs = sample.transform(dict(total_frames=60, start_index=0))['frame_inds']
        assert found['frame_inds'].tolist() == theirs.tolist() and after == np.random.rand()
        for index, picture in zip(theirs, found['imgs']):
            errors = [np.abs(picture - frame).mean() for frame in decoded]
            assert int(np.argmin(errors)) == index and errors[index] < 1


@pytest.mark.parametrize('max_offset', [1, 3, 8])
def test_near_frames_are_near_and_are_what_they_say(clip, decoded, max_offset):
    differ = 0
    for seed in range(6):
        (exact, after), (near, then) = draw(clip, seed), draw(clip, seed, max_offset=max_offset)
        assert after == then and set(near) == set(exact) and near['total_frames'] == 60
        assert near['img_shape'] == (96, 128)
        assert np.abs(near['frame_inds'] - exact['frame_inds']).max() <= max_offset
        assert near['frame_inds'].dtype == exact['frame_inds'].dtype
        differ += (near['frame_inds'] != exact['frame_inds']).sum()
        for index, picture in zip(near['frame_inds'], near['imgs']):
            assert np.abs(picture - decoded[index]).mean() < 1.5
    assert differ > 0


def test_a_reader_that_samples_otherwise_is_else_the_same(uneven):
    read = ReadFrames(12, test_mode=True, max_pixels=12 * 32 * 32)
    other = read.sampled_by('time')
    assert (read.by, other.by, other.max_pixels) == ('frame', 'time', read.max_pixels)
    assert other(dict(filename=uneven))['frame_inds'].tolist()[:6] == [0, 1, 2, 2, 3, 4]
    assert read(dict(filename=uneven))['frame_inds'].tolist()[0] == 2


def test_decord_reproduces_old_numbers_and_says_that_it_goes(clip, broken_videos):
    with pytest.warns(FutureWarning, match=r"^ReadFrames\(reader='decord'\) [^\n]*next release"):
        old = ReadFrames(4, test_mode=True, reader='decord')
    ours, theirs = ReadFrames(4, test_mode=True)(dict(filename=clip)), old(dict(filename=clip))
    assert set(ours) == set(theirs)
    assert ours['frame_inds'].tolist() == theirs['frame_inds'].tolist()
    assert all(np.array_equal(a, b) for a, b in zip(ours['imgs'], theirs['imgs']))
    folder, reasons = broken_videos
    for name in reasons:
        with pytest.raises(VideoReadError, match=name):
            old(dict(filename=str(folder / name)))
    old.decord.max_pixels = 4 * 128 * 96 - 1
    with pytest.raises(VideoReadError, match='too large: 4 frames of 128 x 96'):
        old(dict(filename=clip))


@pytest.mark.parametrize('arguments, words', [
    (dict(max_offset=-1), 'max_offset must be 0 or more'),
    (dict(max_offset=2, test_mode=True), 'max_offset must be 0 or more'),
    (dict(max_offset=2, cache=True), 'max_offset must be 0 or more'),
    (dict(by='second'), "by must be 'frame' or 'time', got 'second'"),
    (dict(reader='opencv'), "reader must be 'pyav' or 'decord', got 'opencv'"),
    (dict(reader='decord', by='time'), "need reader='pyav'"),
    (dict(reader='decord', max_offset=1), "need reader='pyav'"),
    (dict(deadline=0), 'deadline must be above 0 seconds, got 0'),
])
def test_arguments_that_are_not_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        ReadFrames(4, **arguments)


def test_nothing_else_opens_a_video():
    """Beside the one reader, the way that stays for one release, and what writes videos."""
    root = Path(__file__).parents[2]
    opens = re.compile(r"decord\.VideoReader|av\.open\((?![^\n]*'w'[,)])|VideoCapture|DecordInit")
    places = {str(path.relative_to(root)) for folder in ('mmbt', 'tools', 'configs')
              for path in (root / folder).rglob('*.py')
              if opens.search(path.read_text()) and (root / 'mmbt/reading') not in path.parents}
    assert places == {'mmbt/datasets/transforms/decord_reader.py', 'mmbt/lab/benchmark/data.py'}
