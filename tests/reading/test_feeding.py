"""What is fed to a decoder, and how near frames are chosen: no more than is needed."""
import numpy as np
import pytest

from mmbt.reading import Video
from mmbt.reading import feeder as feeder_module
from mmbt.reading.container import open_source
from mmbt.reading.near import near_frames
from mmbt.reading.table import make_table
from tests.support.coded_frames import number_of


@pytest.fixture
def fed(monkeypatch):
    """The places of the packets that decoders are given, in order."""
    places = []
    give = feeder_module._Packets.__getitem__
    monkeypatch.setattr(feeder_module._Packets, '__getitem__',
                        lambda self, place: places.append(place) or give(self, place))
    return places


def table_of(path):
    """The table of a file's packets."""
    source = open_source(str(path))
    try:
        return make_table(source)[0]
    finally:
        source.close()


def test_the_table_of_a_file(make_clip):
    """Packets in decoding order, I P B B: frames of each, and the key that each begins with."""
    table = table_of(make_clip('h264_g9_b3.mp4'))
    assert sorted(table.place.tolist()) == list(range(36))
    assert np.flatnonzero(table.is_key).tolist() == [0, 9, 18, 27]
    assert [table.key_before(frame) for frame in (0, 8, 9, 26, 35)] == [0, 0, 9, 18, 27]
    # the frames shown before an open group's key need those of the group before
    table = table_of(make_clip('h264_open.mp4'))
    keys = np.flatnonzero(table.is_key)
    leading = [frame for frame in range(36) for key in keys[1:]
               if table.place[frame] > key and table.times[frame] < table.pts[key]]
    assert leading
    for frame in leading:
        key = table.key_before(frame)
        assert table.is_key[key] and table.pts[key] <= table.times[frame]


@pytest.mark.parametrize('name, wanted, most', [
    ('h264_g9_b0.mp4', [13], [9, 10, 11, 12, 13]),
    ('h264_g9_b0.mp4', [4, 29, 30], [1, 2, 3, 4, 27, 28, 29, 30]),
    ('h264_g9_b0.mp4', [9, 18], [9, 18]),
    ('h264_g1_b0.mkv', [35, 7], [7, 35]),
    ('h264_g250_b2.mp4', range(1, 36), range(36)),
    ('mpeg2_b2.ts', range(36), range(36))])
def test_only_packets_that_are_needed_are_fed(name, wanted, most, make_clip, fed):
    with Video(str(make_clip(name))) as video:
        fed.clear()
        frames, _ = video.read(wanted)
        assert [number_of(frame) for frame in frames] == list(wanted)
    assert fed == list(most)


@pytest.mark.parametrize('name', ['h264_g9_b3.mp4', 'h264_g9_b0.mp4', 'vp9.webm'])
def test_reads_one_after_the_other(name, make_clip):
    """What was left out for one read is there for the next, without a decode in order."""
    with Video(str(make_clip(name))) as video:
        for wanted in ([20], [19], [5], [6], [4, 8], [30, 31], [21], [0, 1], [2], range(36)):
            frames, _ = video.read(wanted)
            assert [number_of(frame) for frame in frames] == list(wanted)
            assert not video.facts.in_order and video._feeder.jumps


def test_open_groups_of_h264_are_fed_without_jumps(make_clip):
    with Video(str(make_clip('h264_open.mp4'))) as video:
        frames, _ = video.read([3, 33])
        assert [number_of(frame) for frame in frames] == [3, 33]
        assert not video.facts.in_order and not video._feeder.jumps


def test_near_frames_are_key_frames_where_those_are_near_enough(make_clip, fed):
    path = make_clip('h264_g9_b0.mp4')
    near = near_frames(str(path), table_of(path), [2, 7, 12, 20, 33], 4)
    assert [near[number][0] for number in (2, 7, 12, 20)] == [0, 9, 9, 18]
    assert sorted(set(fed) - set(range(27, 36))) == [0, 9, 18]
    assert near[33][0] == 33 and max(fed) == 33


def test_near_frames_are_those_that_others_refer_to(make_clip):
    """Without them, of 36 frames with two B frames between others, about a third are left."""
    path = make_clip('h264_g250_b2.mp4')
    near = near_frames(str(path), table_of(path), list(range(36)), 2)
    taken = sorted({index for index, _ in near.values()})
    assert all(abs(near[number][0] - number) <= 2 for number in range(36))
    assert 12 <= len(taken) <= 24
    assert near_frames(str(path), table_of(path), [1, 2], 0) is None
