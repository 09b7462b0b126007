"""Results of runs beside the paper's numbers, in columns of their own."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import read_json
from mmbt.files.shown import markdown_cell, printable
from mmbt.files.text import shorten

from .judge import GENERATIVE, METRICS, write_json
from .judge.paper import MEANS, TABLE_3, TABLES, Table
from .judge.results import mean
from .picture import scores_picture

NOT_RUN = 'not run'
MOST_BYTES = 2**28  # of a file of results or answers
MOST = 10**12  # of any number in a result
Run = dict[str, dict[str, Any]]
"""What was judged of a model: name of a metric -> its summary; of exact match: ``exact NAME``."""


def read_run(folder: str | Path) -> Run:
    """The results in a folder, one file for each metric.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no results, damaged ones, or two of one metric.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'folder of results {folder} is missing')
    run: Run = {}
    for path in sorted(Path(folder).glob('*.json')):
        summary = _read_summary(path)
        if summary is None:
            continue
        name = summary['metric']
        key = f'exact {name}' if 'contained' in summary else name
        if key in run:
            raise ValueError(f'{folder} holds two results of {name}, {path.name} is one; keep one')
        run[key] = summary
    if not run:
        raise ValueError(f'{folder} holds no results; make them with `mmbt converse judge`')
    return run


def _read_summary(path: Path) -> dict[str, Any] | None:
    """A file's results; None if it holds something else, such as answers.

    Raises:
        ValueError: If its name is that of results, and it holds none or they are damaged.
    """
    is_named = path.name.endswith(tuple(f'.{name}{kind}.json' for name in METRICS
                                        for kind in ('', '.exact')))
    try:
        content = read_json(path, object, 'file of results', most=MOST_BYTES)
    except ValueError:
        if is_named:
            raise
        return None
    metric = content.get('metric') if isinstance(content, dict) else None
    if not isinstance(metric, str) or metric not in METRICS:
        if is_named:
            raise ValueError(f'{path} is no result of a metric: judge the answers again')
        return None
    for key, kinds in _needed_of(content).items():
        value = content.get(key, 'missing')
        if key not in content or not isinstance(value, kinds) or isinstance(value, bool) or (
                isinstance(value, (int, float)) and not 0 <= value < MOST):
            raise ValueError(f'{path} is no result of {metric}: {key!r} is {shorten(value)}; judge '
                             'the answers again')
    return content


def _needed_of(summary: Mapping[str, Any]) -> dict[str, tuple[type, ...]]:
    """The keys that the report reads of a summary, and what they may be."""
    if 'contained' in summary:
        return dict(equal=(int, float), contained=(int, float), questions=(int, ),
                    unanswered=(int, ))
    number = (int, float, type(None))
    right = (dict(accuracy=number, yes=(int, ), no=(int, ))
             if METRICS[summary['metric']].is_qa else {})
    return dict(judge=(str, ), score_int=number, score=number, questions=(int, ), judged=(int, ),
                failed=(int, ), unanswered=(int, ), **right)


def write_report(runs: Mapping[str, Run], folder: str | Path) -> list[Path]:
    """Write ``conversation.md``, ``.json`` and ``.png``; return the paths."""
    paths = [Path(folder, f'conversation.{kind}') for kind in ('md', 'json', 'png')]
    with whole_file(paths[0]) as draft:
        draft.write_text(markdown(runs), encoding='utf-8')
    write_json(dict(ours=runs, paper=_paper_numbers()), paths[1])
    picture = scores_picture(
        [METRICS[name].label for name in GENERATIVE],
        {label: [number(run, (name, 'score_int')) for name in GENERATIVE]
         for label, run in runs.items()},
        {name: TABLE_3.columns[name] for name in ('BT-Adapter (ZS)', 'BT-Adapter (FT)')})
    with whole_file(paths[2]) as draft:
        draft.write_bytes(picture)
    return paths


def markdown(runs: Mapping[str, Run]) -> str:
    """The tables, what they were made of, and what to know of them."""
    lines = ['# Video conversation', '', 'Scores are the means of int(score), as published.']
    for table in TABLES:
        lines += ['', f'## {table.title}', '', *_table_lines(table, runs)]
        if table.note:
            lines += ['', table.note]
    lines += ['', '## What was judged', '', *_count_lines(runs), '', *_judge_lines(runs)]
    exact = _exact_lines(runs)
    if exact:
        lines += ['', '## Words alone, without a judge: no number of the paper', '', *exact]
    return '\n'.join(lines) + '\n'


def _table_lines(table: Table, runs: Mapping[str, Run]) -> list[str]:
    """One table: ours first, the paper's behind."""
    lines = head('', [*(f'ours: {label}' for label in runs),
                      *(f'paper: {name}' for name in table.columns)])
    for row, (label, cell) in enumerate(table.rows.items()):
        ours = [show(number(run, cell), cell[1]) for run in runs.values()]
        theirs = [f'{values[row]:.{table.digits}f}' for values in table.columns.values()]
        lines.append(row_of([label, *ours, *theirs]))
    if table is TABLE_3:
        ours = [show(_mean_of(run), 'score_int') for run in runs.values()]
        lines.append(row_of(['Mean', *ours, *(f'{MEANS[name]:.2f}' for name in table.columns)]))
    return lines


def _count_lines(runs: Mapping[str, Run]) -> list[str]:
    """What each result stands for."""
    lines = head('run, metric', ['questions', 'judged', 'judge failed', 'unanswered',
                                 'mean of int(score)', 'mean of score', 'accuracy', 'yes / no'])
    for label, run in runs.items():
        for name in METRICS:
            if name not in run:
                continue
            each = run[name]
            counts = [f'{each[key]:,}' for key in ('questions', 'judged', 'failed', 'unanswered')]
            scores = [show(each[key], key) for key in ('score_int', 'score')]
            right = ([show(each['accuracy'], 'accuracy'), f"{each['yes']:,} / {each['no']:,}"]
                     if METRICS[name].is_qa else ['', ''])
            lines.append(row_of([f'{label}, {METRICS[name].label}', *counts, *scores, *right]))
    return lines


def _judge_lines(runs: Mapping[str, Run]) -> list[str]:
    """Who judged, and what that means for comparing."""
    judges = sorted({printable(each['judge']) for run in runs.values() for key, each in run.items()
                     if key in METRICS})
    own = any(each.get('prompts') == 'mmbt' for run in runs.values() for key, each in run.items()
              if key in METRICS)
    lines = [f'Judged by {", ".join(judges) or "nobody yet"}; the paper by gpt-3.5-turbo, whose '
             'versions change and are withdrawn. Numbers are comparable only where one judge gave '
             'them.']
    if len(judges) > 1:
        lines.append('These runs have different judges: do not compare them with one another.')
    if own:
        lines.append("Asked with this project's own prompts, which are no copy of the published "
                     'ones.')
    return lines


def _exact_lines(runs: Mapping[str, Run]) -> list[str]:
    """Accuracy by words."""
    rows = [(f'{label}, {METRICS[name].label}', run[f'exact {name}'])
            for label, run in runs.items() for name in METRICS if f'exact {name}' in run]
    if not rows:
        return []
    return [*head('run, set', ['equal', 'contained', 'questions', 'unanswered']),
            *(row_of([label, f"{each['equal']:.1f}", f"{each['contained']:.1f}",
                      f"{each['questions']:,}", f"{each['unanswered']:,}"])
              for label, each in rows)]


def number(run: Run, cell: tuple[str, str]) -> float | None:
    """One of our numbers, None where it was not run."""
    return run.get(cell[0], {}).get(cell[1])


def _mean_of(run: Run) -> float | None:
    """The mean of the five metrics, None where one was not run."""
    values = [number(run, (name, 'score_int')) for name in GENERATIVE]
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def _paper_numbers() -> dict[str, Any]:
    """The paper's tables, by title, method and row."""
    return {table.title: {method: dict(zip(table.rows, values))
                          for method, values in table.columns.items()} for table in TABLES}


def show(value: float | None, kind: str) -> str:
    """One of our numbers: accuracies with one digit, scores with two."""
    if value is None:
        return NOT_RUN
    return f'{value:.1f}' if kind == 'accuracy' else f'{value:.2f}'


def head(corner: str, names: Sequence[str]) -> list[str]:
    """The first two lines of a table."""
    return [row_of([corner, *names]), row_of(['---', *['---:'] * len(names)])]


def row_of(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(map(markdown_cell, cells))} |"
