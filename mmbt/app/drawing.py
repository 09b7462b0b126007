"""What was found, as HTML: players, scores over time, labels over time, and how far indexing is."""
import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from mmbt.engine.launch import describe
from mmbt.files.shown import printable
from mmbt.search.labels import LabelledWindow
from mmbt.search.moment_index import Found
from mmbt.search.query import Hit
from mmbt.search.windows import clock

from .api import play_url
from .indexing import Progress
from .moments import Moment
from .playing import to_jpeg
from .service import Service
from .turns import Busy

WIDTH, HEIGHT = 360, 96  # of a curve, in units of its own
LEFT, RIGHT, TOP, BOTTOM = 34, 354, 8, 78
STRIP = 14  # height of a class's strip
MOST_SPANS = 40  # that are listed
MOST_BROKEN = 20  # videos that are named


class Line(NamedTuple):
    """Scores of a video's windows, drawn in the colour of a class of the style sheet."""

    scores: Sequence[Found]
    kind: str
    name: str = ''


def text(value: object) -> str:
    """A text that stands in HTML as it is."""
    return escape(printable(value))


def error(line: object) -> str:
    """What went wrong, in one line."""
    return f'<p class="mm-error" role="alert">{text(line)}</p>'


def line_of(error: Exception) -> str:
    """What a user is told of an error.

    Raises:
        Exception: The error itself, where it is a bug.
    """
    line = str(error) if isinstance(error, Busy) else describe(error)
    if line is None:
        raise error
    return printable(line)


def error_of(error: Exception) -> str:
    """The same as HTML."""
    return f'<p class="mm-error" role="alert">{escape(line_of(error))}</p>'


def note(line: object) -> str:
    """What a user should know."""
    return f'<p class="mm-note">{text(line)}</p>'


def hits(service: Service, moments: Sequence[Moment], kind: str = 'branch') -> str:
    """A card a hit: its player, and its video's scores over time with the moment marked.

    Args:
        service: Whose videos they are of.
        moments: Best first.
        kind: The colour of the curves.
    """
    values = [each.score for moment in moments for each in moment.scores]
    span = (min(values), max(values)) if values else (0., 1.)
    return '<div class="mm-hits">' + ''.join(
        card(service, rank, moment.hit, [Line(moment.scores, kind)], span)
        for rank, moment in enumerate(moments, start=1)) + '</div>'


def card(service: Service, rank: int, hit: Hit, lines: Sequence[Line],
         span: tuple[float, float]) -> str:
    """A hit."""
    when = f'{clock(hit.start)} – {clock(hit.end)}' if hit.end > hit.start else 'whole'
    return (f'<article class="mm-hit" data-start="{hit.start:.3f}" data-end="{hit.end:.3f}">'
            f'{player(service, hit.path, hit.start, hit.end)}'
            f'<h3><span class="mm-rank">{rank}</span> {text(service.folders.name(hit.path))}</h3>'
            f'<p class="mm-facts"><b>{when}</b><span>score {hit.score:.3f}</span></p>'
            f'{curve(lines, hit, span)}</article>')


def player(service: Service, path: str, start: float = 0., end: float = 0.) -> str:
    """A video that plays from a moment; what its browser cannot play, as a preview."""
    try:
        playable = service.player.playable(path)
        url = play_url(service, path, start, end)
    except (ValueError, OSError) as why:
        return f'<div class="mm-video mm-gone">{text(why)}</div>'
    key = escape(service.folders.key(path))
    shown = (start + end) / 2 if end > start else playable.seconds / 2
    video = (f'<video class="mm-video" controls playsinline preload="none" src="{escape(url)}" '
             f'poster="/frame/{key}?at={shown:.3f}"')
    if playable.media_type:
        return f'{video}></video>'
    return (f'{video} data-preview="/preview/{key}" data-from="{start:.3f}"></video>'
            f'<p class="mm-why">Preview without sound, 30 s at most: {text(playable.why)}.</p>')


def curve(lines: Sequence[Line], hit: Hit, span: tuple[float, float]) -> str:
    """Scores over time, with the moment marked; a click plays from there.

    Args:
        lines: What is drawn.
        hit: The moment.
        span: The least and the greatest score that are drawn.
    """
    seconds = max((each.end for line in lines for each in line.scores), default=0.)
    if seconds <= 0 or all(len(line.scores) < 2 for line in lines):
        both = ''.join(f'<span><i class="mm-key mm-{line.kind}"></i>{line.scores[0].score:.3f}'
                       '</span>' for line in lines[::-1] if line.scores)
        return f'<p class="mm-both">{both}</p>' if len(lines) > 1 else ''
    low, high = span
    high = high if high - low > 1e-6 else low + 1e-6

    def x(at: float) -> float:
        return LEFT + (RIGHT - LEFT) * at / seconds

    def y(score: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (score - low) / (high - low)

    def points(scores: Sequence[Found]) -> list[tuple[float, float]]:
        middle = [(x((each.start + each.end) / 2), y(each.score)) for each in scores]
        return [(x(scores[0].start), middle[0][1]), *middle, (x(scores[-1].end), middle[-1][1])]

    drawn = ''.join(
        f'<polyline class="mm-line mm-{line.kind}" points="' +
        ' '.join(f'{left:.1f},{top:.1f}' for left, top in points(line.scores)) + '"/>'
        for line in lines if line.scores)
    best = x((hit.start + hit.end) / 2)
    told = f'scores from 0:00 to {clock(seconds)}, the moment from {clock(hit.start)} to ' \
           f'{clock(hit.end)}'
    first = f'<text x="{LEFT}" y="{HEIGHT - 3}">0:00</text>' if best > LEFT + 45 else ''
    last = (f'<text x="{RIGHT}" y="{HEIGHT - 3}" class="mm-end">{clock(seconds)}</text>'
            if best < RIGHT - 45 else '')
    return (f'<svg class="mm-curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{told}" data-seconds="{seconds:.3f}" data-left="{LEFT / WIDTH:.4f}" '
            f'data-right="{RIGHT / WIDTH:.4f}">'
            f'<rect class="mm-moment" x="{x(hit.start):.1f}" y="{TOP}" '
            f'width="{max(x(hit.end) - x(hit.start), 2):.1f}" height="{BOTTOM - TOP}"/>'
            f'<line class="mm-axis" x1="{LEFT}" y1="{BOTTOM}" x2="{RIGHT}" y2="{BOTTOM}"/>'
            f'{drawn}<line class="mm-now" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{BOTTOM}"/>'
            f'<text x="{LEFT - 4}" y="{TOP + 7}" class="mm-end">{high:.2f}</text>'
            f'<text x="{LEFT - 4}" y="{BOTTOM}" class="mm-end">{low:.2f}</text>'
            f'{first}<text x="{min(max(best, LEFT + 12), RIGHT - 14):.1f}" y="{HEIGHT - 3}" '
            f'class="mm-middle mm-strong">{clock(hit.start)}</text>{last}</svg>')


def compared(service: Service, branch: Sequence[Moment], mean: Sequence[Moment],
             both: Mapping[str, tuple[Sequence[Found], Sequence[Found]]]) -> str:
    """The moments of the branch and those of its frame mean, side by side.

    Args:
        service: Whose videos they are of.
        branch: Best first.
        mean: The same.
        both: Path -> the scores of the branch and those of the frame mean.
    """
    values = [each.score for pair in both.values() for scores in pair for each in scores]
    span = (min(values), max(values)) if values else (0., 1.)
    legend = ('<p class="mm-legend"><span class="mm-key mm-branch"></span>branch '
              '<span class="mm-key mm-mean"></span>frame mean</p>')

    def column(title: str, kind: str, moments: Sequence[Moment]) -> str:
        cards = ''.join(card(service, rank, moment.hit, [
            Line(both[moment.hit.path][1], 'mean'), Line(both[moment.hit.path][0], 'branch')], span)
            for rank, moment in enumerate(moments, start=1))
        return f'<section class="mm-column mm-of-{kind}"><h2>{title}</h2>{cards}</section>'

    return (f'{legend}<div class="mm-columns">{column("Branch", "branch", branch)}'
            f'{column("Frame mean", "mean", mean)}</div>')


def labels(service: Service, path: str, whole: Sequence[tuple[str, float]],
           windows: Sequence[LabelledWindow]) -> str:
    """A video with its classes, as a whole and over time."""
    seconds = windows[-1].end if windows else 0.
    rows = ''.join(_label_row(place, name, probability, windows, seconds)
                   for place, (name, probability) in enumerate(whole))
    times = (f'<div class="mm-times"><span>0:00</span><span>{clock(seconds)}</span></div>'
             if seconds else '')
    return (f'<div class="mm-labels mm-hit"><div>{player(service, path)}'
            f'<h3>{text(service.folders.name(path))}</h3></div>'
            f'<div><div class="mm-rows">{rows}{times}</div>{_spans(windows)}</div></div>')


def _label_row(place: int, name: str, probability: float, windows: Sequence[LabelledWindow],
               seconds: float) -> str:
    cells = ''
    for number, window in enumerate(windows):
        end = windows[number + 1].start if number + 1 < len(windows) else window.end
        share = dict(window.labels).get(name, 0.)
        if seconds:
            cells += (f'<rect x="{360 * window.start / seconds:.2f}" y="0" '
                      f'width="{360 * (end - window.start) / seconds:.2f}" height="{STRIP}" '
                      f'fill-opacity="{share:.3f}"><title>{clock(window.start)} {share:.0%}'
                      '</title></rect>')
    strip = (f'<svg class="mm-strip mm-curve" viewBox="0 0 360 {STRIP}" '
             f'preserveAspectRatio="none" role="img" aria-label="{text(name)} over time" '
             f'data-seconds="{seconds:.3f}" data-left="0" data-right="1">{cells}</svg>'
             if cells else '')
    return (f'<div class="mm-row mm-class{place % 6}"><span class="mm-name">{text(name)}</span>'
            f'<span class="mm-share">{probability:.1%}</span>'
            f'<span class="mm-bar"><i style="width:{100 * probability:.1f}%"></i></span>'
            f'{strip}</div>')


def _spans(windows: Sequence[LabelledWindow]) -> str:
    """The best class of each stretch of time, neighbours of one class as one."""
    spans: list[list] = []
    for window in windows:
        name, probability = window.labels[0]
        if spans and spans[-1][2] == name:
            spans[-1][1] = window.end
            spans[-1][3] = max(spans[-1][3], probability)
        else:
            spans.append([window.start, window.end, name, probability])
    if len(windows) < 2:
        return ''
    rows = ''.join(f'<p><span>{clock(start)} – {clock(end)}</span><span>{text(name)}</span>'
                   f'<span>{probability:.0%}</span></p>'
                   for start, end, name, probability in spans[:MOST_SPANS])
    more = (f'<p><span>{len(spans) - MOST_SPANS} more</span></p>'
            if len(spans) > MOST_SPANS else '')
    return f'<div class="mm-spans">{rows}{more}</div>'


def progress(service: Service, state: Progress) -> str:
    """How far the indexing of a folder is, and which videos cannot be read."""
    share = state.done / state.total if state.total else 1.
    said = {'waiting': 'waiting', 'running': 'indexing', 'done': 'in the index',
            'stopped': 'in the index so far', 'failed': 'in the index; it failed'}[state.state]
    rate = state.new / state.seconds if state.new and state.seconds else 0.
    speed = f', {rate:.1f} a second' if rate and state.at_work else ''
    broken = len(state.broken)
    lines = (f'<div class="mm-progress" data-state="{state.state}"><p>'
             f'<b>{state.done}</b> of <b>{state.total}</b> videos {said}{speed}'
             f'{f", {broken} of them broken" if broken else ""}</p>'
             f'<div class="mm-track"><i style="width:{100 * share:.1f}%"></i></div>')
    if state.error:
        lines += error(state.error)
    if broken:
        shown = list(state.broken.items())[:MOST_BROKEN]
        lines += ('<details><summary>Videos that cannot be read</summary><ul>' + ''.join(
            f'<li>{text(why.replace(printable(path), service.folders.name(path)))}</li>'
            for path, why in shown)
            + f'{f"<li>and {broken - len(shown)} more</li>" if broken > len(shown) else ""}'
            '</ul></details>')
    return lines + '</div>'


def frames(pictures: Sequence[np.ndarray]) -> str:
    """The frames that a model was given, in their order."""
    return '<div class="mm-frames">' + ''.join(
        f'<img alt="frame {number}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(to_jpeg(picture)).decode()}">'
        for number, picture in enumerate(pictures, start=1)) + '</div>'
