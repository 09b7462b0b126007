"""The demo's web page: one file that needs neither network nor scripts."""
from html import escape
from string import Template

import numpy as np

from ..world.scenes import MOTIONS, parse_caption
from .figures import SHOWN_CLIPS, VERDICTS
from .filmstrips import Filmstrips
from .retrievals import Retrievals, pair_scores
from .scores import MODELS, SCORES, Score, apart
from .style import STYLE

_PAIR_VERDICTS = {'right': 'right clip', 'tied': 'tie: cannot tell', 'wrong': 'wrong clip'}
_ROUNDING = 1e-6
"""Features are float32: a smaller difference between similarities means nothing."""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<main>
<h1>$title</h1>
$body
</main>
</body>
</html>
""")

def build_page(title: str, sections: list[str]) -> str:
    """Put sections, each of them HTML, on a page."""
    return _PAGE.substitute(title=escape(title), style=STYLE.strip(), body='\n'.join(sections))


def section(heading: str, *parts: str) -> str:
    """A titled part of the page; ``parts`` are HTML."""
    return f'<section>\n<h2>{escape(heading)}</h2>\n' + '\n'.join(parts) + '\n</section>'


def paragraph(text: str, faint: bool = False) -> str:
    """A paragraph of plain text."""
    return f'<p class="faint">{escape(text)}</p>' if faint else f'<p>{escape(text)}</p>'


def numbers_table(metrics: dict, videos: int) -> str:
    """Both models' numbers side by side, their difference, and what guessing scores."""
    heads = ''.join(f'<th>{name}</th>' for name in (*MODELS.values(), 'Difference', 'Chance'))
    rows = [_number_row(score, metrics, videos) for score in SCORES
            if all(score.key in metrics[model] for model in MODELS)]
    return f'<table>\n<tr><th></th>{heads}</tr>\n' + '\n'.join(rows) + '\n</table>'


def _number_row(score: Score, metrics: dict, videos: int) -> str:
    branch, baseline = (score.shown(metrics[model]) for model in MODELS)
    gain = (baseline - branch) if score.unit == 'rank' else (branch - baseline)
    look = 'better' if gain > 0 else 'worse' if gain < 0 else ''
    unit = ' <span class="faint">lower is better</span>' if score.unit == 'rank' else ''
    texts = apart([branch, baseline], 1)
    digits = len(texts[0].partition('.')[2])
    apart_by = f'{branch - baseline:+.{digits}f}'.replace('-', '−') if gain else 'tie'
    return (f'<tr><td>{score.label}{unit}</td><td>{texts[0]}</td><td>{texts[1]}</td>'
            f'<td class="{look}">{apart_by}</td>'
            f'<td class="faint">{score.chance(videos, len(MOTIONS)):.1f}</td></tr>')


def facts_table(facts: dict) -> str:
    """A table of names and values."""
    rows = ''.join(f'<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>\n'
                   for name, value in facts.items())
    return f'<table>\n{rows}</table>'


def query_row(query: int, retrievals: dict[str, Retrievals], strips: Filmstrips) -> str:
    """One query and the clips that each model retrieved for it."""
    caption = retrievals['bt_adapter'].captions[query]
    shown = {model: [int(video) for video in retrievals[model].top[query][:SHOWN_CLIPS]]
             for model in MODELS}
    texts = iter(apart([float(retrievals[model].scores[query, video]) for model in MODELS
                        for video in shown[model]], 4))
    columns = []
    for model, name in MODELS.items():
        clips = ''.join(
            _retrieved_clip(retrievals[model], strips, query, video, rank, next(texts))
            for rank, video in enumerate(shown[model], start=1))
        columns.append(f'<div><div class="model {model}">{name}</div>\n{clips}</div>')
    return (f'<div class="query"><p class="caption">“{escape(caption)}”</p>\n'
            f'<div class="models">{"".join(columns)}</div></div>')


def _retrieved_clip(found: Retrievals, strips: Filmstrips, query: int, video: int, rank: int,
                    score: str) -> str:
    """One retrieved clip; the words in which it differs from the query stand out."""
    verdict = found.verdict(query, video)
    shows = found.captions[found.query_of(video)]
    return (f'<figure class="{verdict}" data-video="{escape(str(found.videos[video]))}">'
            f'{_clip(strips, found.videos[video], shows)}'
            f'<figcaption>{rank}. <span class="mark">{VERDICTS[verdict][1]}</span> '
            f'{_with_differences(shows, found.captions[query])} '
            f'<span class="faint">{score}{_ties(found.scores[query], video)}</span></figcaption>'
            '</figure>\n')


def _clip(strips: Filmstrips, video: str, shows: str) -> str:
    """A clip that plays, beside its frames."""
    return ('<span class="clip"><video autoplay loop muted playsinline '
            f'aria-label="{escape(shows)}" poster="{strips.data_uri(video, 1)}" '
            f'src="{strips.film_uri(video)}"></video>'
            f'<img src="{strips.data_uri(video)}" alt=""></span>')


def _ties(scores: np.ndarray, video: int) -> str:
    """Whether other clips have the same score, or one that rounding alone tells apart."""
    gaps = np.abs(scores.astype(np.float64) - float(scores[video]))
    same, near = int((gaps == 0).sum()) - 1, int(((gaps > 0) & (gaps < _ROUNDING)).sum())
    words = [f'tie with {same} other{"s" if same > 1 else ""}'] if same else []
    if near:
        words.append(f'{near} other{"s" if near > 1 else ""} apart by rounding alone')
    return f' ({", ".join(words)})' if words else ''


def _with_differences(caption: str, query: str) -> str:
    """Return ``caption`` as HTML, with the parts that ``query`` has otherwise in bold."""
    (scene, motion), (other, other_motion) = parse_caption(caption), parse_caption(query)
    parts = [word if word == wanted else f'<b>{word}</b>' for word, wanted in (
        (scene.color, other.color), (scene.shape, other.shape), (motion, other_motion),
        (scene.background, other.background))]
    return 'a {} {} {} on a {} background'.format(*parts)


def pair_block(pair: tuple[int, int], retrievals: dict[str, Retrievals],
               strips: Filmstrips) -> str:
    """A clip and its reversal, and how each model scores both captions to both clips."""
    found = retrievals['bt_adapter']
    captions = [found.captions[found.query_of(video)] for video in pair]
    clips = ''.join(
        f'<figure class="plain">{_clip(strips, found.videos[video], caption)}'
        f'<figcaption>Clip {letter}: “{escape(caption)}”</figcaption></figure>'
        for letter, video, caption in zip('AB', pair, captions))
    scores = {model: pair_scores(retrievals[model], pair) for model in MODELS}
    texts = iter(apart(np.stack([*scores.values()]).ravel().tolist(), 4))
    tables = ''.join(f'<div><div class="model {model}">{name}</div>'
                     f'{_pair_table(scores[model], [[next(texts), next(texts)] for _ in "AB"])}'
                     '</div>' for model, name in MODELS.items())
    return (f'<div class="query"><div class="models">{clips}</div>'
            f'<div class="models">{tables}</div></div>')


def _pair_table(scores: np.ndarray, texts: list[list[str]]) -> str:
    rows = ''
    for row, letter in enumerate('AB'):
        own, other = scores[row, row], scores[row, 1 - row]
        look = 'right' if own > other else 'wrong' if own < other else 'tied'
        verdict = f'{VERDICTS[look][1]} {_PAIR_VERDICTS[look]}'
        if 0 < abs(own - other) < _ROUNDING:
            verdict += ' by rounding'
        cells = ''.join(f'<td><b>{text}</b></td>' if score > min(own, other)
                        else f'<td>{text}</td>' for score, text in zip(scores[row], texts[row]))
        rows += (f'<tr class="{look}"><td>Caption {letter}</td>{cells}'
                 f'<td><span class="mark">{verdict}</span></td></tr>\n')
    return f'<table>\n<tr><th></th><th>Clip A</th><th>Clip B</th><th></th></tr>\n{rows}</table>'
