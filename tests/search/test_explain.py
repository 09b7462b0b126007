"""``mmbt explain``: arrays, moments, pictures, films, and one line where it cannot."""
import dataclasses
import re

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmbt.apis import explain, load, save_explanation
from mmbt.models.gates import GATES
from mmbt.search.explain import drawing
from mmbt.search.explain.explanation import gates_of
from mmbt.search.explain.film import h264_encoder
from mmbt.search.explain.moment import read_moment
from mmbt.search.explain.picture import frames_shown
from mmbt.search.explain.saving import places_of

from ..support.tools import parse, run
from .search_world import TEXT, write_world


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with a config, weights and videos."""
    folder = tmp_path_factory.mktemp('explain')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_world(folder, 'ab')
    return folder


@pytest.fixture(scope='module')
def model(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return load('config.py', weights='weights.pth')


@pytest.fixture(scope='module')
def made(model, place):
    return explain(model, place / 'videos/a.mp4', TEXT)


def test_the_arrays_are_of_the_video_that_a_search_scores(made, model, place):
    clip = model.encoder.clip(str(place / 'videos/a.mp4'))
    np.testing.assert_array_equal(made.pictures, clip.permute(0, 2, 3, 1).numpy())
    rows, means = model.encoder.videos_and_means([clip])
    words = model.embed_texts(TEXT)[0]
    assert made.branch.score == pytest.approx(float(rows[0] @ words), abs=1e-6)
    assert made.trunk.score == pytest.approx(float(means[0] @ words), abs=1e-6)
    assert made.branch.score == pytest.approx(float(made.window_scores[0]), abs=1e-6)
    for evidence in (made.branch, made.trunk):
        assert evidence.frames.shape == (4,) and evidence.patches.shape == (4, 3, 3)
        np.testing.assert_allclose(evidence.frames, evidence.patches.sum((1, 2)), atol=1e-6)
        missed = float(evidence.patches.sum()) - (evidence.score - evidence.grey)
        assert missed == pytest.approx(evidence.error, abs=1e-5) and abs(missed) <= 1e-3
    np.testing.assert_allclose(made.times, [0.1, 0.3, 0.6, 0.8])  # 10 frames a second
    assert (made.start, made.end, made.timed) == (0, 1, True)


def test_gates_are_shares_in_the_order_of_layers(made, model):
    branch = model.model.backbone.branch
    output = branch.output_gate
    weights = torch.stack([branch.gates[0].weight, branch.gates[1].weight, output.weight])
    np.testing.assert_allclose(made.gates, 1 / (1 + np.exp(-weights.detach().numpy())), rtol=1e-6)
    model.model.backbone.branch.output_gate = GATES['add'](16)
    assert gates_of(model.model) is None  # a sum has no share
    model.model.backbone.branch.output_gate = output


def test_occlusion_and_gradients_share_scores(made, model, place):
    tried = explain(model, place / 'videos/a.mp4', TEXT, method='occlusion')
    assert tried.branch.score == pytest.approx(made.branch.score, abs=1e-6)
    assert tried.branch.error is None
    clip = torch.from_numpy(made.pictures).permute(0, 3, 1, 2)
    imgs = model.model.data_preprocessor(dict(inputs=dict(imgs=[clip])))['inputs']['imgs']
    imgs[0, 2, :, 4:8, :4] = 0
    with torch.no_grad():
        video = torch.nn.functional.normalize(model.model.encode_video(imgs)[0], dim=0)
    left = float(video @ torch.from_numpy(model.embed_texts(TEXT)[0]))
    assert float(tried.branch.patches[2, 1, 0]) == pytest.approx(made.branch.score - left,
                                                                 abs=1e-6)


def test_a_moment_is_read_as_a_file_of_it_alone_would_be(model, place):
    found = read_moment(model.encoder, str(place / 'videos/a.mp4'), 0.5, 0.9)
    # Four middles of 0.1 s each from 0.5 s on: frames 5 to 8 of ten a second.
    np.testing.assert_allclose(found.times, [0.5, 0.6, 0.7, 0.8])
    assert (found.start, found.end) == (0.5, 0.9)
    with av.open(str(place / 'videos/a.mp4')) as film:
        frames = [frame.to_ndarray(format='rgb24') for frame in film.decode(video=0)]
    small = [cv2.resize(frame, (12, 12)) for frame in frames[5:9]]
    assert np.abs(found.clip.permute(0, 2, 3, 1).numpy() - np.array(small, int)).max() <= 3
    to_end = read_moment(model.encoder, str(place / 'videos/a.mp4'), 0.5, 9)
    assert to_end.end == 1 and to_end.times[-1] == pytest.approx(0.9)


def test_without_a_moment_it_is_the_best_window(model, place):
    frames = [place / f'videos/{name}.mp4' for name in 'ab']
    long = place / 'long.mp4'
    with av.open(str(long), 'w') as film:
        stream = film.add_stream('libx264', rate=2, options=dict(crf='1'))
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for path, count in zip(frames, (12, 8)):  # 6 s and 4 s, in windows of 4 s every 2 s
            with av.open(str(path)) as source:
                picture = next(source.decode(video=0)).to_ndarray(format='rgb24')
            for _ in range(count):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        film.mux(stream.encode())
    found = explain(model, long, TEXT, method='occlusion')
    np.testing.assert_allclose(found.windows, [(0, 4), (2, 6), (4, 8), (6, 10)], atol=1e-6)
    best = int(np.argmax(found.window_scores))
    assert (found.start, found.end) == tuple(found.windows[best])
    assert found.branch.score == pytest.approx(float(found.window_scores[best]), abs=1e-5)


def test_picture_and_film_show_it(made, tmp_path):
    picture, film = save_explanation(made, tmp_path / 'shown.png')
    assert (picture.name, film.name) == ('shown.png', 'shown.mp4')
    shown = np.asarray(Image.open(picture).convert('RGB')).astype(int)
    assert shown.shape[1] == 1040 and 1200 < shown.shape[0] < 3000
    strongest = drawing.overlay(np.zeros((8, 8, 3), np.uint8), np.ones((1, 1)), 1.)[0, 0]
    assert (np.abs(strongest - np.array(drawing.FOR)) < 12).all()
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        pictures = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
        assert (stream.codec_context.name, stream.format.name) == ('h264', 'yuv420p')
        assert len(pictures) == 16 and stream.average_rate == 10  # 4 frames of 0.4 s
    assert pictures[0].shape[1] == 720 and pictures[0].shape[0] % 2 == 0
    assert film.read_bytes().index(b'moov') < film.read_bytes().index(b'mdat')  # plays at once
    # The line that tells the time is the darkest column of the chart.
    where = [int(each[-220:-120, 90:].mean((0, 2)).argmin()) for each in pictures[::4]]
    assert where == sorted(where) and where[-1] - where[0] > 300


def test_overlays_are_orange_for_the_text_and_purple_against_it():
    picture = np.full((4, 4, 3), 100, np.uint8)
    drawn = drawing.overlay(picture, np.array([[1., -1.], [0., 0.5]]), 1.).astype(int)
    (r, _, b), (r2, _, b2), (r3, g3, b3) = drawn[0, 0], drawn[0, 3], drawn[3, 0]
    assert r > 200 > b and b2 > r2 and r3 == g3 == b3 == 140
    assert drawn[3, 3, 0] - drawn[3, 3, 2] < r - b


def test_a_long_clip_is_shown_by_twelve_of_its_frames():
    assert frames_shown(8) == list(range(8))
    assert len(frames_shown(32)) == 12 and frames_shown(32)[::11] == [0, 31]


def test_words_are_cut_where_they_do_not_fit(made):
    long = dataclasses.replace(made, text='word ' * 80, path='x' * 90 + '.mp4', start=67.25,
                               end=70.)
    lines = drawing.title_of(long, 40).splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 40 and lines[-1].endswith('…”')
    assert drawing.where_of(long, 60).endswith('1:07.2 to 1:10') and \
        len(drawing.where_of(long, 60)) <= 60


def test_parts_that_miss_their_sum_are_told(made):
    exact = dataclasses.replace(made, branch=dataclasses.replace(made.branch, error=0.0009))
    missed = dataclasses.replace(made, branch=dataclasses.replace(made.branch, error=-0.02))
    tried = dataclasses.replace(made, branch=dataclasses.replace(made.branch, error=None))
    assert [len(drawing.told(each)) for each in (exact, missed, tried)] == [3, 4, 3]
    assert 'branch: its patches miss their sum by -0.0200' in drawing.told(missed)[2]


def test_the_command_writes_both_and_says_what_it_saw(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    words = ['videos/b.mp4', TEXT, '--model', 'config.py', '--weights', 'weights.pth', '--device',
             'cpu', '--start', '0:00.2', '--method', 'occlusion']
    assert run(monkeypatch, 'explain', *words, '--out', 'pictures/') is None
    where, branch, clip, *files = capsys.readouterr().out.splitlines()
    assert where == 'b.mp4   0:00.2 to 0:01'
    assert branch.startswith('branch: cosine ') and clip.startswith('CLIP alone: cosine ')
    assert files == ['pictures/b_explained.png', 'pictures/b_explained.mp4']
    assert all((place / file).stat().st_size > 2000 for file in files)


@pytest.mark.parametrize('words, line', [
    (['gone.mp4', TEXT], 'gone.mp4'),
    (['videos/a.mp4', ' '], 'empty'),
    (['videos/a.mp4', TEXT, '--start', '7'], r'videos/a.mp4 lasts 1.00 s \(0:01\), and the moment '
                                             'is to begin at 7 s'),
    (['videos/a.mp4', TEXT, '--start', '0.5', '--end', '0.2'], 'ends after it begins'),
])
def test_what_cannot_be_explained_is_one_line(place, model, words, line, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr('mmbt.search.load.load', lambda *_, **__: model)
    said = run(monkeypatch, 'explain', *words, '--device', 'cpu')
    said = f'{said}\n{capsys.readouterr().err}'
    assert re.search(line, said) and 'Traceback' not in said


def test_float8_has_no_gradients(model, place, monkeypatch):
    monkeypatch.setattr(model.model.trunk, 'float8', True)
    with pytest.raises(ValueError, match="float8 has no gradients: take method='occlusion'"):
        explain(model, place / 'videos/a.mp4', TEXT)
    with pytest.raises(ValueError, match="method is 'gradients' or 'occlusion', got 'magic'"):
        explain(model, place / 'videos/a.mp4', TEXT, method='magic')


def test_times_are_seconds_or_clocks(capsys):
    args = parse('explain', 'a.mp4', 'text', '--start', '1:02:03.5', '--end', '83')
    assert (args.start, args.end) == (3723.5, 83)
    for wrong in ('x', '1:', '-1', '1:2:3:4'):
        with pytest.raises(SystemExit):
            parse('explain', 'a.mp4', 'text', f'--start={wrong}')
        assert 'is no time such as 83, 1:23 or 0:01:23.5' in capsys.readouterr().err


def test_files_are_named_after_the_video(tmp_path):
    assert [path.name for path in places_of('a/film.x.mkv')] == ['film.x_explained.png',
                                                                'film.x_explained.mp4']
    assert places_of('a/film.mkv', tmp_path)[0] == tmp_path / 'film_explained.png'
    assert [str(path) for path in places_of('film.mkv', 'b/v1.2')] == ['b/v1.2.png', 'b/v1.2.mp4']


def test_without_an_encoder_it_says_what_to_install(monkeypatch):
    assert h264_encoder() in ('libx264', 'libopenh264', 'h264_videotoolbox', 'h264_nvenc')
    monkeypatch.setattr('mmbt.search.explain.film.ENCODERS', ('h264_of_nobody',))
    with pytest.raises(ValueError, match='no encoder of H.264.*install the wheel of av'):
        h264_encoder()


def test_a_picture_has_no_moment(model, place):
    Image.new('RGB', (64, 48), 'green').save(place / 'still.png')
    found = explain(model, place / 'still.png', TEXT, method='occlusion')
    assert not found.timed and found.window_scores.shape == (1,)
    np.testing.assert_allclose(found.trunk.frames, found.trunk.frames[0], atol=1e-6)
    assert drawing.where_of(found, 60) == 'still.png'
    with pytest.raises(ValueError, match='still.png has no times: leave start and end out'):
        explain(model, place / 'still.png', TEXT, start=1.)
