"""The page in a browser: every tab, on a phone and on a desk, in dark and in light."""
import os
from pathlib import Path

import numpy as np
import pytest

from mmbt.apis import VideoChat
from mmbt.search.query import Query
from mmbt.search.windows import clock

from .app_world import CLASSES, OTHER, TEXT, until, write_film

sync_api = pytest.importorskip('playwright.sync_api', reason='clicking needs playwright')
CHROMIUM = '/usr/bin/chromium'
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync',
         '--disable-component-update', '--no-first-run',
         '--autoplay-policy=no-user-gesture-required']
AFTER_UPLOAD = '/upload_progress'  # Gradio asks how far an upload is that has ended: 404
SIZES = dict(phone=(390, 844), desk=(1280, 900))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not os.access(CHROMIUM, os.X_OK), reason=f'there is no {CHROMIUM}')]


@pytest.fixture(scope='module')
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope='module', params=SIZES)
def page(request, browser, served, tmp_path_factory):
    """The page at a width, which notes what goes wrong and what it asks for elsewhere."""
    width, height = SIZES[request.param]
    page = browser.new_page(viewport=dict(width=width, height=height))
    page.set_default_timeout(15_000)
    page.wrong, page.shots = [], tmp_path_factory.mktemp(f'shots-{request.param}')
    page.on('console', lambda line: line.type == 'error' and line.text != 'Response' and
            AFTER_UPLOAD not in line.location['url'] and page.wrong.append(line.text))
    page.on('pageerror', lambda error: page.wrong.append(str(error)))
    page.on('request', lambda asked: asked.url.startswith((served.url, 'data:', 'blob:'))
            or page.wrong.append(asked.url))
    page.on('response', lambda got: got.status >= 400 and AFTER_UPLOAD not in got.url
            and page.wrong.append(got.url))
    page.goto(served.url)
    page.wait_for_selector('#mm-state .mm-progress')
    yield page
    page.close()


def look(page, name):
    """Nothing is wider than the page or went wrong; pictures in both schemes, and their colours."""
    assert page.wrong == []
    backs = []
    for scheme in ('light', 'dark'):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function('dark => document.body.classList.contains("dark") === dark',
                               arg=scheme == 'dark')
        assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
        backs.append(page.evaluate('getComputedStyle(document.body).backgroundColor'))
        page.screenshot(path=page.shots / f'{name}-{scheme}.png', full_page=True)
    light, dark = ([int(part) for part in back[4:-1].split(',')] for back in backs)
    assert min(light) > 220 and max(dark) < 60


def show(page, tab):
    """Open a tab, and wait as a person does: Gradio loses what is typed as its fields come up."""
    page.get_by_role('tab', name=tab).click()
    page.wait_for_timeout(400)


def press(page, button):
    """Click a moment after what was typed."""
    page.wait_for_timeout(100)
    page.click(button)


def ask(page, tab, field, text, button, shown):
    """Type, click and wait for what is shown."""
    show(page, tab)
    page.fill(f'{field} :is(input, textarea)', text)
    press(page, button)
    page.wait_for_selector(shown)


def shown_hits(page, within):
    """(name, times, score) of each card."""
    return [(card.locator('h3').inner_text().split(maxsplit=1)[1],
             card.locator('.mm-facts b').inner_text(),
             card.locator('.mm-facts span').inner_text())
            for card in page.locator(f'{within} .mm-hit').all()]


def expected(hits, videos):
    """The same of what a search gives."""
    return [(str(Path(hit.path).relative_to(videos)), f'{clock(hit.start)} – {clock(hit.end)}',
             f'score {hit.score:.3f}') for hit in hits]


def test_the_model_and_the_index_are_told(page, served):
    assert 'Model: config.py (a branch)' in page.inner_text('#mm-head')
    assert 'Chat: tiny LLaVA' in page.inner_text('#mm-head')
    assert page.inner_text('#mm-state p').strip() == '5 of 5 videos in the index, 1 of them broken'
    page.click('#mm-state summary')
    assert page.inner_text('#mm-state li').startswith('broken.mp4 cannot be opened')


def test_hits_are_those_of_a_search_and_play_from_their_moment(page, served, plain):
    hits = plain.search(TEXT, 6)
    ask(page, 'Search', '#mm-text', TEXT, '#mm-search', '#mm-found .mm-hit')
    assert shown_hits(page, '#mm-found') == expected(hits, served.world / 'videos')
    place = next(i for i, hit in enumerate(hits) if hit.path.endswith('mp4') and hit.start > 0)
    card, hit = page.locator('#mm-found .mm-hit').nth(place), hits[place]
    scores = plain.index.scores(hit.path, plain.vector(Query((TEXT, ))))
    points = card.locator('polyline').get_attribute('points').split()
    heights = [float(point.split(',')[1]) for point in points[1:-1]]
    assert len(heights) == len(scores)
    assert np.corrcoef(heights, [each.score for each in scores])[0, 1] < -0.999
    best = card.locator('.mm-moment').bounding_box()
    box = card.locator('svg').bounding_box()
    left, right = (34 + 320 * at / 24 for at in (hit.start, hit.end))
    assert (best['x'] - box['x']) / box['width'] == pytest.approx(left / 360, abs=0.01)
    assert best['width'] / box['width'] == pytest.approx((right - left) / 360, abs=0.01)
    video = card.locator('video')
    video.evaluate('video => { video.muted = true; return video.play(); }')
    until(lambda: video.evaluate('video => video.currentTime') > hit.start)
    assert video.evaluate('video => video.currentTime') < hit.end + 0.5
    look(page, 'search')


def test_a_click_on_the_curve_plays_from_there(page):
    card = page.locator('#mm-found .mm-hit').filter(has_text='grey.mp4').first
    box = card.locator('svg').bounding_box()
    at = 15.
    card.locator('video').evaluate('video => { video.muted = true; }')
    card.locator('svg').click(position=dict(x=box['width'] * (34 + 320 * at / 24) / 360, y=20))
    until(lambda: card.locator('video').evaluate('video => video.currentTime') > at - 0.2)
    assert card.locator('video').evaluate('video => video.currentTime') < at + 5
    assert page.locator('video').evaluate_all('all => all.filter(one => !one.paused).length') <= 1


def test_what_no_browser_plays_is_a_preview(page):
    card = page.locator('#mm-found .mm-hit').filter(has_text='old.avi')
    assert 'not every browser plays mjpeg in avi' in card.inner_text()
    video = card.locator('video')
    video.evaluate('video => { video.muted = true; return video.play(); }')
    until(lambda: video.evaluate('video => video.currentTime') > 0.2)
    assert video.evaluate('video => video.duration') == pytest.approx(1.2, abs=0.1)
    assert video.evaluate('video => [video.videoWidth, video.videoHeight]') == [64, 48]


def test_without_and_time_are_the_query_s(page, served, plain):
    hits = plain.search(Query((TEXT, ), without=(OTHER, ), mode='time'), 6)
    assert hits != plain.search(Query((TEXT, ), mode='time'), 6)
    page.click('#mm-more button:has-text("More")')
    page.wait_for_timeout(400)
    page.fill('#mm-without :is(input, textarea)', OTHER)
    page.get_by_label('what the branch adds over time').check()
    press(page, '#mm-search')
    wanted = expected(hits[:3], served.world / 'videos')
    until(lambda: shown_hits(page, '#mm-found')[:3] == wanted)  # those below are equal


def test_bad_input_is_one_line(page):
    page.fill('#mm-text :is(input, textarea)', '  ')
    press(page, '#mm-search')
    page.wait_for_selector('#mm-found .mm-error')
    assert page.inner_text('#mm-found .mm-error').startswith('the text is empty')


def test_labels_as_a_whole_and_over_time(page, served, plain):
    path = str(served.world / 'videos/films/green.mp4')
    show(page, 'Label')
    page.click('#mm-label-video input')
    page.get_by_role('option', name='films/green.mp4').click()
    ask(page, 'Label', '#mm-names', '\n'.join(CLASSES), '#mm-label', '#mm-labelled .mm-row')
    rows = [(row.locator('.mm-name').inner_text(), row.locator('.mm-share').inner_text())
            for row in page.locator('#mm-labelled .mm-row').all()]
    assert rows == [(name, f'{share:.1%}') for name, share in plain.label(path, CLASSES)]
    over_time = plain.label(path, CLASSES, over_time=True)
    for name, _ in rows:
        row = page.locator('#mm-labelled .mm-row').filter(has_text=name)
        cells = row.locator('rect').evaluate_all(
            'all => all.map(one => Number(one.getAttribute("fill-opacity")))')
        assert cells == pytest.approx([dict(each.labels)[name] for each in over_time], abs=1e-3)
    look(page, 'label')


def test_an_upload_is_labelled_and_one_too_large_is_refused(page, served, plain, tmp_path):
    write_film(tmp_path / 'mine.mp4', ('green', 'red'), 6)
    show(page, 'Label')
    page.fill('#mm-names textarea', '\n'.join(CLASSES))
    page.set_input_files('#mm-label-upload input', tmp_path / 'mine.mp4')
    page.wait_for_selector('#mm-label-upload :text("mine")')
    press(page, '#mm-label')
    page.wait_for_selector('#mm-labelled h3:has-text("mine.mp4")')
    first = page.locator('#mm-labelled .mm-row').first
    assert first.locator('.mm-share').inner_text() == '{:.1%}'.format(
        plain.label(str(tmp_path / 'mine.mp4'), CLASSES)[0][1])
    page.locator('#mm-labelled video').evaluate('video => { video.muted = true; video.play(); }')
    until(lambda: page.locator('#mm-labelled video').evaluate('video => video.currentTime') > 0)
    (tmp_path / 'large.mp4').write_bytes(bytes(2 * 2**20))
    page.click('#mm-label-upload button[aria-label="Clear"]')
    page.set_input_files('#mm-label-upload input', tmp_path / 'large.mp4')
    page.wait_for_selector(':text("exceed the maximum")')
    page.get_by_label('Close').click()


def test_branch_and_frame_mean_side_by_side(page, served, plain):
    ask(page, 'Compare', '#mm-both', OTHER, '#mm-compare', '#mm-compared .mm-hit')
    videos = served.world / 'videos'
    branch = shown_hits(page, '#mm-compared .mm-of-branch')
    assert branch == expected(plain.search(OTHER, 5), videos)
    mean = shown_hits(page, '#mm-compared .mm-of-mean')
    vector = plain.vector(Query((OTHER, )))
    best = plain.index.search(vector, 1, column='baseline')[0]
    assert mean[0][0] == str(Path(best.path).relative_to(videos))
    assert mean[0][2] == f'score {best.score:.3f}' and mean != branch
    film = page.locator('#mm-compared .mm-hit').filter(has_text='films/').first
    assert film.locator('polyline').count() == 2
    old = page.locator('#mm-compared .mm-of-mean .mm-hit').filter(has_text='old.avi')
    both = [plain.index.scores(str(videos / 'old.avi'), vector, column)[0].score
            for column in ('embedding', 'baseline')]
    assert old.locator('.mm-both span').all_inner_texts() == [
        f'{score:.3f}' for score in both]
    boxes = [page.locator(f'.mm-of-{kind}').bounding_box() for kind in ('branch', 'mean')]
    beside = boxes[0]['y'] == boxes[1]['y']
    assert beside == (page.viewport_size['width'] > 700)
    look(page, 'compare')


def test_a_conversation_streams_and_shows_its_frames(page, served):
    chat = VideoChat(served.dialogue, served.world / 'videos/films/green.mp4')
    answers = [chat.ask(question) for question in ('what is it?', 'and then?')]
    show(page, 'Chat')
    page.click('#mm-chat-video input')
    page.get_by_role('option', name='films/green.mp4').click()
    press(page, '#mm-read')
    page.wait_for_selector('.mm-frames img')
    assert page.locator('.mm-frames img').count() == len(chat.frames) == 4
    for question, answer in zip(('what is it?', 'and then?'), answers):
        page.fill('#mm-question :is(input, textarea)', question)
        press(page, '#mm-ask')
        page.wait_for_function(
            'said => document.querySelector("#mm-said").innerText.includes(said)', arg=answer)
    look(page, 'chat')


def test_indexing_is_seen_to_go_on(page, served):
    new = served.world / f'videos/new-{page.viewport_size["width"]}.mp4'
    write_film(new, ('red', 'grey'), 4)
    count = len(list(served.service.folders.videos()))
    page.reload()
    page.wait_for_selector('#mm-state .mm-progress')
    page.click('#mm-index')
    page.wait_for_selector(f'#mm-state p:has-text("{count} of {count} videos in the index")')
    assert page.wrong == []
    new.unlink()
    served.service.search_of(str(served.world / 'videos')).index.drop([str(new)])
