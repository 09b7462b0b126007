"""Every mode of the reader against a decode in order, and against the number in each picture.

The files are container x codec x group of pictures x B frames x cut x turn x rate. A table by
library: ``python tests/reading/conformance_table.py``.
"""
import random
from dataclasses import replace

import decord
import numpy as np
import pytest

from mmbt.reading import CountChanged, Video, read_frames
from mmbt.reading import feeder as feeder_module
from mmbt.reading import in_order as in_order_module
from mmbt.reading import table as table_module
from mmbt.reading.process import read_isolated
from tests.support.coded_frames import number_of
from tests.support.conformance_clips import CHANGED, CLIPS, ODD, WHOLE

pytestmark = pytest.mark.slow

# The pictures that a player shows of a file that was changed after it was encoded. Of the others
# it shows what could be saved, and FFmpeg's decode in order is the word on that.
SHOWN = {'cut_edit.mp4': range(17, 36), 'cut_edit.mov': range(17, 36),
         'cut_edit_b7.mp4': range(13, 36), 'cut_open.mp4': range(12, 36),
         'cut_hevc.mp4': range(12, 36), 'cut_turned.mp4': range(17, 36),
         'cut_mpeg4.mp4': range(17, 36), 'cut_vp9.mp4': range(17, 36),
         'vp8_hidden.webm': [*range(10), *range(11, 36)],
         'no_first_key.mp4': range(12, 36), 'no_first_key.mkv': range(12, 36),
         'no_first_key.ts': range(12, 36), 'short.mp4': range(15), 'short.mkv': range(17),
         'joined.ts': [*range(36)] * 2, 'joined.mpg': [*range(36)] * 2,
         **{clip.name: range(clip.frames) for clip in WHOLE + ODD}}
# Files that were encoded whole and in which decord is wrong as well, or that are not 8 bit.
NOT_AS_DECORD = {'h264_open.mp4', 'h264_open.mkv', 'h264_refresh.mp4', 'hevc_open.mp4',
                 'hevc_open.mkv', 'h264_10bit.mp4', 'hevc_10bit.mkv', 'h264_ts_named.mp4',
                 'hevc_layers.mp4'}
AS_DECORD = [clip.name for clip in WHOLE if clip.name not in NOT_AS_DECORD and
             clip.name.startswith(('h264', 'hevc', 'vp9')) and
             clip.name.endswith(('.mp4', '.mov', '.mkv', '.webm'))]
# What is decoded in its order: formats that are not trusted, a first frame that is no key or of an
# open group, times that start anew, and damage that is met.
IN_ORDER = {
    'h264.avi', 'h264.h264', 'vp9.ivf', 'mpeg4_b2.avi', 'mpeg4_b0.avi', 'mpeg2_b2.mpg',
    'mpeg2_b0.vob', 'mpeg1.mpg', 'mjpeg.avi', 'wmv2.wmv', 'vp8.ogv', 'pictures.gif',
    'pictures.apng', 'mpeg4.nut', 'one_frame.gif', 'no_first_key.mp4', 'no_first_key.mkv',
    'no_first_key.ts', 'no_first_key_hevc.mkv', 'short.mp4', 'short_fragments.mp4', 'short.mpg',
    'damaged.mp4', 'damaged.mkv', 'damaged.ts', 'joined.ts', 'joined.mpg', 'cut_open.mp4'}
# A key frame is missing and no packet says so: only a decode of its group can tell.
UNTOLD = 'missing_key.mp4'
TOLD = [name for name in CLIPS if name != UNTOLD]


def draw(rng, total):
    """Some numbers below ``total``, in any order, now and then one twice."""
    numbers = [rng.randrange(total) for _ in range(rng.choice([1, 2, 5, 9]))]
    return numbers if rng.random() < 0.5 else sorted(numbers)


def test_the_grid_is_wide():
    assert len(CLIPS) == len(WHOLE + ODD + CHANGED) >= 100
    assert len({name.rsplit('.', 1)[1] for name in CLIPS}) >= 18
    assert len({clip.codec for clip in CLIPS.values()}) >= 16
    assert len(AS_DECORD) >= 20 and len(SHOWN) >= 75


@pytest.mark.parametrize('name', TOLD)
def test_frames_are_those_of_a_decode_in_order(name, make_clip, reference):
    path, expected = str(make_clip(name)), reference(name)
    total = len(expected.frames)
    with Video(path) as video:
        frames, indices = video.read(range(video.facts.total_frames))
        assert video.facts.total_frames == total and indices == list(range(total))
        assert all(np.array_equal(a, b) for a, b in zip(frames, expected.frames))
        assert frames[0].shape == (video.facts.height, video.facts.width, 3)
        assert len(video.facts.times) == total and (np.diff(video.facts.times) > 0).all()
        assert video.facts.in_order == (name in IN_ORDER)
    if name in SHOWN:
        assert [number_of(frame) for frame in frames] == list(SHOWN[name])
    rng = random.Random(0)
    for _ in range(3):
        wanted = draw(rng, total)
        frames, indices, facts = read_frames(path, lambda facts, wanted=wanted: wanted)
        assert indices == wanted and len(facts.times) == facts.total_frames
        assert name in IN_ORDER or not facts.in_order
        assert all(np.array_equal(frame, expected.frames[index])
                   for frame, index in zip(frames, indices))


@pytest.mark.parametrize('name', TOLD)
def test_near_frames_are_near_and_are_what_they_say(name, make_clip, reference):
    path, expected = str(make_clip(name)), reference(name)
    rng = random.Random(1)
    for max_offset in (1, 4):
        with Video(path) as video:
            wanted = draw(rng, len(expected.frames))
            frames, indices = video.read(wanted, max_offset=max_offset)
        assert max(abs(a - b) for a, b in zip(indices, wanted)) <= max_offset
        for frame, index in zip(frames, indices):
            assert np.abs(frame.astype(int) - expected.frames[index]).mean() < 1.5


def test_the_reading_process_gives_what_is_read_here(make_clip):
    def choose(facts):
        return [min(each, facts.total_frames - 1) for each in (11, 0, 3, 3)]

    for name in CLIPS:
        for max_offset in (0, 2):
            here, there = (read(str(make_clip(name)), choose, max_offset)
                           for read in (read_frames, read_isolated))
            assert here[1] == there[1], name
            assert all(map(np.array_equal, here[0], there[0])), name
            assert np.array_equal(here[2].times, there[2].times), name
            assert replace(here[2], times=None) == replace(there[2], times=None), name


@pytest.mark.parametrize('name', [
    'h264_g9_b3.mp4', 'h264_open.mkv', 'hevc_open.mp4', 'vp8_hidden.webm', 'mpeg4_b2.avi',
    'mpeg2_b2.ts', 'cut_edit.mp4', 'turned_90.mp4', 'pictures.gif', 'short.ts'])
def test_other_ways_of_reading_give_the_same(name, make_clip, reference, monkeypatch):
    """Nothing kept, as for large files; nothing left out; and everything in order."""
    path, expected = str(make_clip(name)), reference(name)
    wanted = [len(expected.frames) - 1, 3, 4, 11, 0]
    changes = ((table_module, 'KEPT_BYTES', 0), (in_order_module, 'KEPT_BYTES', 0),
               (feeder_module, '_SKIPPING_CODECS', set()), (table_module, 'FED_FORMATS', set()))
    for module, attribute, value in changes:
        monkeypatch.setattr(module, attribute, value)
        for max_offset in (0, 2):
            frames, indices, facts = read_frames(path, lambda facts: wanted, max_offset)
            assert facts.total_frames == len(expected.frames)
            for frame, index in zip(frames, indices):
                error = np.abs(frame.astype(int) - expected.frames[index]).mean()
                assert error <= (1.5 if max_offset else 0)
    assert facts.in_order and indices == wanted


@pytest.mark.parametrize('name', AS_DECORD)
def test_files_encoded_whole_are_read_as_decord_read_them(name, make_clip):
    path = str(make_clip(name))
    theirs = decord.VideoReader(path, num_threads=1)
    wanted = [35, 0, 7, 18, 19, 30, 7]
    frames, _, facts = read_frames(path, lambda facts: wanted)
    assert facts.total_frames == len(theirs) and not facts.in_order
    assert np.array_equal(np.stack(frames), theirs.get_batch(wanted).asnumpy())


def test_a_table_that_does_not_hold_is_given_up(make_clip, reference):
    path, expected = str(make_clip(UNTOLD)), reference(UNTOLD).frames
    with Video(path) as video:
        assert video.facts.total_frames == 35 and not video.facts.in_order
        with pytest.raises(CountChanged) as changed:
            video.read(range(35))
        facts = changed.value.facts
        assert facts is video.facts and facts.in_order and facts.total_frames == len(expected) == 26
        frames, _ = video.read([25, 12])
    assert np.array_equal(frames[0], expected[25]) and np.array_equal(frames[1], expected[12])
    asked = []
    frames, indices, facts = read_frames(
        path, lambda facts: asked.append(facts.total_frames) or [facts.total_frames - 9, 12])
    assert asked == [35, 26] and indices == [17, 12]


def test_a_damaged_frame_is_mended_as_in_order(make_clip, reference):
    """FFmpeg mends it from the frame before, which the feeder may have left out."""
    path, expected = str(make_clip('damaged.mkv')), reference('damaged.mkv').frames
    wrong = [index for index, frame in enumerate(expected) if number_of(frame) != index]
    assert wrong
    frames, _, facts = read_frames(path, lambda facts: wrong)
    assert facts.in_order and any('cannot be decoded' in note for note in facts.notes)
    assert all(np.array_equal(frame, expected[index]) for frame, index in zip(frames, wrong))
