"""The demo's web page: one file that needs neither network nor scripts."""
from html import escape
from string import Template

import numpy as np

from ..world.scenes import MOTIONS, parse_caption
from .figures import COLORS, SHOWN_CLIPS, VERDICTS
from .filmstrips import Filmstrips, data_uri
from .retrievals import Retrievals, pair_scores
from .scores import MODELS, SCORES, Score

_PAIR_VERDICTS = {'right': 'right clip', 'tied': 'cannot tell', 'wrong': 'wrong clip'}
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

_STYLE = f"""
body {{ margin: 0; background: #f4f6f8; color: #22303c;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }}
main {{ max-width: 1120px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }}
h1 {{ font-size: 1.9rem; line-height: 1.2; margin: 0 0 .8rem; }}
h2 {{ font-size: 1.3rem; margin: 0 0 .5rem; }}
h3 {{ font-size: 1.02rem; margin: 1.6rem 0 .2rem; }}
p {{ max-width: 88ch; margin: .3rem 0 .9rem; }}
section {{ background: #fff; border: 1px solid #e1e6ea; border-radius: 10px;
  padding: 1.3rem 1.5rem; margin: 1.3rem 0; }}
img {{ max-width: 100%; display: block; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .28rem .9rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #eceff2; }}
th:first-child, td:first-child {{ text-align: left; padding-left: 0; }}
th {{ font-weight: 600; }}
.faint {{ color: #6d7a86; font-size: .88rem; }}
.better {{ color: {VERDICTS['right'][0]}; }} .worse {{ color: {VERDICTS['wrong'][0]}; }}
.models {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr));
  gap: .4rem 1.6rem; }}
.model {{ font-size: .88rem; font-weight: 600; border-bottom: 3px solid; margin-bottom: .5rem; }}
.bt_adapter {{ border-color: {COLORS['bt_adapter']}; }}
.frame_mean {{ border-color: {COLORS['frame_mean']}; }}
.query {{ border-top: 1px solid #e1e6ea; padding: .7rem 0 .5rem; }}
.caption {{ font-weight: 600; margin: 0 0 .35rem; }}
figure {{ margin: 0 0 .55rem; }}
figure img {{ border: 3px solid; border-radius: 3px; width: 100%; box-sizing: border-box; }}
figcaption {{ font-size: .84rem; line-height: 1.35; }}
figure.plain img {{ border-color: #cfd6dc; }}
.facts {{ display: flex; flex-wrap: wrap; gap: 1rem 3.5rem; align-items: start; }}
code {{ background: #eef1f4; border-radius: 4px; padding: .1rem .35rem; }}
""" + ''.join(f""".{verdict} img {{ border-color: {color}; }}
.{verdict} .mark {{ color: {color}; font-weight: 700; }}
""" for verdict, (color, _) in VERDICTS.items())


def build_page(title: str, sections: list[str]) -> str:
    """Put sections, each of them HTML, on a page."""
    return _PAGE.substitute(title=escape(title), style=_STYLE.strip(), body='\n'.join(sections))


def section(heading: str, *parts: str) -> str:
    """A titled part of the page; ``parts`` are HTML."""
    return f'<section>\n<h2>{escape(heading)}</h2>\n' + '\n'.join(parts) + '\n</section>'


def paragraph(text: str, faint: bool = False) -> str:
    """A paragraph of plain text."""
    return f'<p class="faint">{escape(text)}</p>' if faint else f'<p>{escape(text)}</p>'


def picture(png: bytes, description: str) -> str:
    """An embedded picture."""
    return f'<img src="{data_uri(png, "png")}" alt="{escape(description)}">'


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
    return (f'<tr><td>{score.label}{unit}</td><td>{branch:.1f}</td><td>{baseline:.1f}</td>'
            f'<td class="{look}">{_signed(branch - baseline)}</td>'
            f'<td class="faint">{score.chance(videos, len(MOTIONS)):.1f}</td></tr>')


def _signed(value: float) -> str:
    text = f'{value:+.1f}'.replace('-', '−')
    return '0.0' if text[1:] == '0.0' else text


def facts_table(facts: dict) -> str:
    """A table of names and values."""
    rows = ''.join(f'<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>\n'
                   for name, value in facts.items())
    return f'<table>\n{rows}</table>'


def query_row(query: int, retrievals: dict[str, Retrievals], strips: Filmstrips) -> str:
    """One query and the clips that each model retrieved for it."""
    caption = retrievals['bt_adapter'].captions[query]
    columns = []
    for model, name in MODELS.items():
        found = retrievals[model]
        clips = ''.join(_retrieved_clip(found, strips, query, int(video), rank)
                        for rank, video in enumerate(found.top[query][:SHOWN_CLIPS], start=1))
        columns.append(f'<div><div class="model {model}">{name}</div>\n{clips}</div>')
    return (f'<div class="query"><p class="caption">“{escape(caption)}”</p>\n'
            f'<div class="models">{"".join(columns)}</div></div>')


def _retrieved_clip(found: Retrievals, strips: Filmstrips, query: int, video: int,
                    rank: int) -> str:
    """One retrieved clip; the words in which it differs from the query stand out."""
    verdict = found.verdict(query, video)
    shows = found.captions[found.query_of(video)]
    return (f'<figure class="{verdict}" data-video="{escape(str(found.videos[video]))}">'
            f'<img src="{strips.data_uri(found.videos[video])}" alt="{escape(shows)}">'
            f'<figcaption>{rank}. <span class="mark">{VERDICTS[verdict][1]}</span> '
            f'{_with_differences(shows, found.captions[query])} '
            f'<span class="faint">{found.scores[query, video]:.4f}</span></figcaption></figure>\n')


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
        f'<figure class="plain"><img src="{strips.data_uri(found.videos[video])}" '
        f'alt="{escape(caption)}"><figcaption>Clip {letter}: “{escape(caption)}”</figcaption>'
        '</figure>' for letter, video, caption in zip('AB', pair, captions))
    tables = ''.join(f'<div><div class="model {model}">{name}</div>'
                     f'{_pair_table(pair_scores(retrievals[model], pair))}</div>'
                     for model, name in MODELS.items())
    return (f'<div class="query"><div class="models">{clips}</div>'
            f'<div class="models">{tables}</div></div>')


def _pair_table(scores: np.ndarray) -> str:
    rows = ''
    for row, letter in enumerate('AB'):
        own, other = scores[row, row], scores[row, 1 - row]
        look = 'right' if own > other else 'wrong' if own < other else 'tied'
        verdict = f'{VERDICTS[look][1]} {_PAIR_VERDICTS[look]}'
        if 0 < abs(own - other) < _ROUNDING:
            verdict += ' by rounding'
        cells = ''.join(f'<td><b>{score:.4f}</b></td>' if score > min(own, other)
                        else f'<td>{score:.4f}</td>' for score in scores[row])
        rows += (f'<tr class="{look}"><td>Caption {letter}</td>{cells}'
                 f'<td><span class="mark">{verdict}</span></td></tr>\n')
    return f'<table>\n<tr><th></th><th>Clip A</th><th>Clip B</th><th></th></tr>\n{rows}</table>'
