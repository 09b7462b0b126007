"""Search is measured on films whose moments are known, and against a plain search of frames."""
import json

import av
import numpy as np
import open_clip
import pytest

from mmbt.lab.benchmark.films import FPS, Moment, all_frames, make_films
from mmbt.lab.benchmark.moments import measure_moments, overlap, recall_of_moments
from mmbt.lab.benchmark.searching import PLAIN, build_ways, measure_search, search_as_text
from mmbt.lab.world import generate_world
from mmbt.search.query import Hit

TINY = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=32, patch_size=16, width=16, layers=4, head_width=8),
    text_cfg=dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=1))


@pytest.fixture(scope='module')
def films(tmp_path_factory):
    """Two films of the 24 test clips of a small world, 51 s each; their folder and moments."""
    folder = tmp_path_factory.mktemp('films')
    generate_world(folder / 'world', train=4, test=24, stills=0)
    return folder, make_films(folder / 'world', folder / 'films', films=2, minutes=0.85)


def test_films_show_each_clip_where_it_is_said_to_be(films):
    folder, moments = films
    captions = json.loads((folder / 'world/test.json').read_text())
    of_caption = {caption: name for name, (caption,) in captions.items()}
    assert sorted(moment.caption for moment in moments) == sorted(of_caption)
    slow = 0
    for number in range(2):
        path = folder / f'films/film_{number}.mp4'
        frames = all_frames(path)
        assert len(frames) == 51 * FPS
        here = [moment for moment in moments if moment.film == str(path)]
        assert all(before.end + 0.5 <= after.start for before, after in zip(here, here[1:]))
        assert here[0].start >= 0.5 and here[-1].end <= 50.5
        for moment in here:
            clip = all_frames(folder / 'world/videos' / of_caption[moment.caption])
            part = frames[round(moment.start * FPS):round(moment.end * FPS)]
            twice = len(part) // len(clip)
            slow += twice == 2
            assert len(part) == len(clip) * twice
            apart = np.abs(np.stack(part[::twice]).astype(int) - np.stack(clip))
            assert apart.mean() < 2  # encoded twice
    assert slow == 12
    pairs = json.loads((folder / 'world/test_pairs.json').read_text())
    film_of = {of_caption[moment.caption]: moment.film for moment in moments}
    assert all(film_of[one] == film_of[other] for one, other in pairs)


def test_films_are_those_of_their_seed(films, tmp_path):
    folder, moments = films
    again = make_films(folder / 'world', tmp_path, films=2, minutes=0.85)
    assert [moment[1:] for moment in again] == [moment[1:] for moment in moments]
    with pytest.raises(ValueError, match='24 clips do not fit into a film of 0.5 minutes'):
        make_films(folder / 'world', tmp_path, films=1, minutes=0.5)
    with pytest.raises(FileNotFoundError, match='holds no world: make one with'):
        make_films(tmp_path, tmp_path)


def test_overlap():
    moment = Moment('a', 10, 14, 'x')
    assert overlap(Hit('a', 10, 14, 0), moment) == 1
    assert overlap(Hit('a', 12, 16, 0), moment) == pytest.approx(2 / 6)
    assert overlap(Hit('a', 11, 13, 0), moment) == 0.5
    assert overlap(Hit('a', 14, 20, 0), moment) == overlap(Hit('b', 10, 14, 0), moment) == 0


def test_recall_counts_moments_among_the_first_hits():
    moments = [Moment('a', 0, 4, 'one'), Moment('b', 6, 8, 'two')]
    hits = {
        ('one', 'a'): [Hit('a', 1, 4, .9)],
        ('one', None): [Hit('b', 1, 4, .9), Hit('a', 0, 2, .8)],
        ('two', 'b'): [Hit('b', 4, 6, .9), Hit('b', 0, 1, .8)],
        ('two', None): [],
    }
    found = recall_of_moments(lambda query, top: hits[query.texts[0], query.scope], moments)
    assert found == {'film/R1': 50, 'film/R5': 50, 'all/R1': 0, 'all/R5': 50}


def test_moments_need_a_demo(tmp_path):
    with pytest.raises(FileNotFoundError, match='world.json is missing: run `mmbt demo` first'):
        measure_moments(tmp_path)


@pytest.fixture(scope='module')
def still(tmp_path_factory):
    """A folder with a video of 13 s in which nothing moves, as the tiny CLIP sees it."""
    folder = tmp_path_factory.mktemp('still')
    config = folder / 'searching-tiny.json'
    config.write_text(json.dumps(TINY))
    open_clip.add_model_config(config)
    picture = np.full((32, 32, 3), 128, np.uint8)
    picture[8:24, :16] = 250  # colourless, so that no reader has to guess at its colours
    (folder / 'videos').mkdir()
    with av.open(str(folder / 'videos/still.mp4'), 'w') as container:
        stream = container.add_stream('libx264', rate=4, options=dict(qp='0'))
        stream.width = stream.height = 32
        stream.pix_fmt = 'yuv420p'
        for _ in range(52):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())
    return folder / 'videos'


def test_both_searches_have_the_same_clip(still):
    ways = build_ways('searching-tiny')
    for search in ways.values():
        search.add(str(still / 'still.mp4'))
    plain = ways[PLAIN]
    assert [second for _, second in plain.places] == list(range(13))
    for text in ('a dog', 'two cats'):
        expected = plain.search(text, 1)[0][2]
        hit, = ways['mmbt, frame mean'].search(text, 1)
        assert hit.score == pytest.approx(expected, abs=1e-5)
        assert hit[1:3] == (0, 13)  # both windows are alike


def test_a_row_for_every_way(still):
    report = measure_search('searching-tiny', folder=str(still), report=lambda line: None)
    rows = report['rows']
    assert [row['way'] for row in rows] == [PLAIN, 'mmbt, frame mean', 'mmbt, branch']
    assert rows[0]['ratio'] == 1 and all(row['video'] >= row['least'] > 0 for row in rows)
    assert len(search_as_text(report).splitlines()) == 6
    with pytest.raises(ValueError, match='holds no .mp4: name a folder of videos'):
        measure_search('searching-tiny', folder=str(still.parent / 'none'))
