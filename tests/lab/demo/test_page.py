"""The demo's page: clips that play, scores that are told apart, charts, and a phone's width."""
import base64
import io
import re

import av
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmbt.lab.demo.charts import headline_bars, loss_charts, motion_bars
from mmbt.lab.demo.figures import _headline_bars
from mmbt.lab.demo.page import numbers_table, pair_block, query_row
from mmbt.lab.demo.retrievals import Retrievals
from mmbt.lab.demo.scores import MODELS, SCORES, apart
from mmbt.lab.world.scenes import MOTIONS, Scene

from ...support.browser import chromium


def test_unlike_numbers_never_look_alike():
    assert apart([0.5, 0.25], 4) == ['0.5000', '0.2500']
    assert apart([0.52211, 0.52214, 0.1], 4) == ['0.52211', '0.52214', '0.10000']
    assert apart([0.3, 0.3], 4) == ['0.3000', '0.3000']  # a tie
    near = [np.float32(0.5), np.nextafter(np.float32(0.5), np.float32(1))]
    assert len(set(apart(near, 4))) == 2
    assert apart([-0.25, -0.254], 2) == ['−0.250', '−0.254']
    generator = np.random.default_rng(0)
    for _ in range(200):
        values = (0.6 + generator.choice([0, 1e-8, 1e-6, 1e-4], 6)
                  * generator.integers(0, 3, 6)).astype(np.float32)
        texts = apart(values, 4)
        assert [[a == b for b in texts] for a in texts] == [[a == b for b in values]
                                                            for a in values]


class NoStrips:
    """In the place of clips."""

    def data_uri(self, video, frames=8):
        return f'data:image/jpeg;base64,{video}'

    def film_uri(self, video):
        return f'data:video/mp4;base64,{video}'


def both(branch, baseline):
    """What two models retrieved of three clips, by their similarities."""
    scene = Scene('red', 'cross', 'dark')
    captions = [scene.caption(MOTIONS[label]) for label in range(3)]
    return {name: Retrievals(['a', 'b', 'c'], captions, np.arange(3),
                             np.argsort(-np.array(scores), axis=1, kind='stable'),
                             np.array(scores, np.float32))
            for name, scores in zip(MODELS, (branch, baseline))}


def test_scores_of_a_query_have_the_digits_that_tell_them_apart_and_ties_are_named():
    rows = [[0.70001, 0.70004, 0.2]] * 3, [[0.5, 0.5, 0.50000006]] * 3
    html = query_row(0, both(*rows), NoStrips())
    said = re.findall(r'<span class="faint">(.*?)</span>', html)
    assert [text.split(' ')[0] for text in said] == [
        '0.7000400', '0.7000100', '0.2000000', '0.5000001', '0.5000000', '0.5000000']
    assert [' '.join(text.split(' ')[1:]) for text in said] == [
        '', '', '', '(2 others apart by rounding alone)',
        '(tie with 1 other, 1 other apart by rounding alone)',
        '(tie with 1 other, 1 other apart by rounding alone)']


def test_a_pair_s_scores_are_told_apart_or_said_to_tie():
    html = pair_block((0, 1), both([[0.70001, 0.70004, 0]] * 2 + [[0, 0, 1]],
                                   [[0.5, 0.5, 0]] * 2 + [[0, 0, 1]]), NoStrips())
    cells = [re.sub('<.*?>', '', cell) for cell in re.findall('<td>(.*?)</td>', html)]
    assert cells == ['Caption A', '0.70001', '0.70004', '✗ wrong clip', 'Caption B', '0.70001',
                     '0.70004', '✓ right clip', 'Caption A', '0.50000', '0.50000',
                     '= tie: cannot tell', 'Caption B', '0.50000', '0.50000', '= tie: cannot tell']


def test_numbers_are_told_apart_too(metrics):
    near = {model: dict(values, **{'retrieval/t2v_R1': 72.08 + 0.04 * place})
            for place, (model, values) in enumerate(metrics.items())}
    row = re.search(r'<td>Text to video, R@1</td>(.*?)</tr>', numbers_table(near, 24))[1]
    assert re.findall('<td.*?>(.*?)</td>', row) == ['72.08', '72.12', '−0.04', '4.2']


def test_bars_have_their_length_and_their_number_beside_them(metrics):
    html = headline_bars(metrics, 24)
    bars = re.findall(r'<i class="bar (\w+)" style="width:([\d.]+)%"></i>'
                      r'<i class="notch" style="left:([\d.]+)%"></i></div><b>(.*?)</b>', html)
    assert bars[:2] == [('bt_adapter', '91.50', '4.17', '91.5'),
                        ('frame_mean', '47.50', '4.17', '47.5')]
    assert bars[-1] == ('frame_mean', '50.00', '50.00', '50.0') and len(bars) == 8
    empty = motion_bars({model: [np.nan] * 12 for model in MODELS}, 100 / 12)
    assert empty.count('width:0.00%') == 24 and empty.count('<b></b>') == 24


def test_curves_of_losses_go_through_their_values():
    html = loss_charts({'A <training>': {'loss': ([0, 50, 100], [4., 2., 1.]),
                                         'part': ([0, 50, 100], [1., 1., 0.])}})
    assert 'A &lt;training&gt;' in html
    main, part = ([tuple(map(float, point.split(','))) for point in points.split(' ')]
                  for points in re.findall(r'<polyline class="line\d" points="(.*?)"', html))
    (x0, top), (x1, half), (x2, _) = main
    bottom = part[2][1]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.1)
    assert bottom - half == pytest.approx((bottom - top) / 2, abs=0.1)
    assert part[0][1] == pytest.approx(main[2][1], abs=0.1)
    assert re.findall(r'text-anchor="end">(.*?)<', html) == ['0', '1', '2', '3', '4']


def test_no_line_goes_through_a_number_of_the_picture(metrics):
    """The numbers of the readme's picture, where chance is nearest to them too."""
    for place, value in enumerate([50., 49.9, 43., 51., 0.]):
        shown = {model: {score.key: value + 7 * place * (model == 'frame_mean') if
                         score.unit == '%' and score.scale == 1 else value / 100
                         for score in SCORES} for model in metrics}
        figure = Figure(figsize=(12, 4.7), dpi=100)
        FigureCanvasAgg(figure).draw()
        axes = figure.add_axes((0.035, 0.105, 0.455, 0.755))
        _headline_bars(axes, shown, 24)
        renderer = figure.canvas.get_renderer()
        numbers = [text.get_window_extent(renderer) for text in axes.texts]
        assert len(numbers) == 8
        lines = [line.get_window_extent(renderer) for line in axes.get_children()
                 if isinstance(line, Line2D)]
        assert not [1 for number in numbers for line in lines if number.overlaps(line)]
        assert not any(line.get_visible() for line in axes.get_ygridlines())


@pytest.mark.slow
def test_every_clip_of_the_page_plays_what_its_file_shows(report, world):
    html = (report / 'report.html').read_text()
    figures = re.findall(r'<figure class="\w+" data-video="(.*?)">.*?<video (.*?) aria-label.*?'
                         r'src="data:video/mp4;base64,(.*?)"', html)
    assert len(figures) == 8 * 6  # 4 + 2 + 2 queries
    assert {words for _, words, _ in figures} == {'autoplay loop muted playsinline'}
    assert html.count('<video ') == 8 * 6 + 2 * 2
    for name, _, data in dict.fromkeys(figures[::7]):
        data = base64.b64decode(data)
        assert len(data) < 16_000
        with av.open(io.BytesIO(data)) as film, av.open(str(world / 'videos' / name)) as file:
            stream, source = film.streams.video[0], file.streams.video[0]
            assert (stream.codec_context.name, stream.format.name) == ('h264', 'yuv420p')
            assert stream.average_rate == source.average_rate
            frames, theirs = ([frame.to_ndarray(format='rgb24').astype(int)
                               for frame in part.decode(video=0)] for part in (film, file))
        assert len(frames) == len(theirs)
        for frame, other in zip(frames, theirs):
            assert frame.shape == (128, 128, 3)
            assert np.abs(frame - other.repeat(2, 0).repeat(2, 1)).mean() < 6
    assert len(html) < 3 * 2**19


@pytest.mark.slow
def test_the_page_fits_a_phone_by_day_and_by_night(report):
    with chromium() as browser:
        tab = browser.new_page()
        tab.goto((report / 'report.html').as_uri())
        tab.wait_for_function('[...document.querySelectorAll("video")].every('
                              'video => video.readyState > 1)')
        tab.locator('video').nth(7).scroll_into_view_if_needed()
        tab.wait_for_function('document.querySelectorAll("video")[7].currentTime > 0.3')
        for width, scheme in ((390, 'light'), (390, 'dark'), (320, 'light'), (1280, 'light')):
            tab.set_viewport_size(dict(width=width, height=844))
            tab.emulate_media(color_scheme=scheme)
            assert tab.evaluate('document.documentElement.scrollWidth') <= width
            beyond = tab.evaluate(
                '[...document.querySelectorAll("td, img, video, svg, p, code, b")].filter(each => '
                'each.getBoundingClientRect().right > each.closest("section, main, body")'
                '.getBoundingClientRect().right).map(each => each.outerHTML.slice(0, 80))')
            assert beyond == []
            ground = tab.evaluate('getComputedStyle(document.body).backgroundColor'
                                  '.match(/\\d+/g).map(Number)')
            assert (max(ground) < 60) == (scheme == 'dark')
