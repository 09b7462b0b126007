"""Tables as Markdown, csv and pictures."""
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.files.shown import write_csv

from .pictures import ablation_picture
from .results import Origin
from .schedule import Run
from .summary import Order, Result, spread, summarize
from .tables import Table, shown
from .worlds import World

NOT_RUN = 'not run'
ORIGIN = ('version', 'sources', 'finished', 'old')
OLD = (' What makes these numbers has changed since; the same command without --report-only renews '
       'them.')


def write_reports(tables: Sequence[Table], world: World, runs: Mapping[tuple[str, int], Run],
                  folder: Path) -> list[Path]:
    """Write each table as ``NAME.md``, ``.csv`` and ``.png``; return the paths."""
    paths = []
    for table in tables:
        results, orders = summarize(table, world, runs)
        contents = {
            'md': markdown(table, world, results, orders).encode(),
            'csv': as_csv(table, world, results).encode(),
            'png': ablation_picture(table, results, [each.label for each in world.columns]),
        }
        for kind, content in contents.items():
            paths.append(folder / f'{table.name}.{kind}')
            with whole_file(paths[-1]) as draft:
                draft.write_bytes(content)
    return paths


def markdown(table: Table, world: World, results: Sequence[Result],
             orders: Sequence[Order]) -> str:
    """A table of means and spreads beside the paper's numbers, and the orders below it."""
    ours = [column.label for column in world.columns]
    names = ['', *ours, 'trained weights', 'seconds', 'seeds',
             *(f'paper: {name}' for name in table.columns)]
    lines = [f'### {table.title}', '', row_of(names), row_of(['---', *['---:'] * (len(names) - 1)])]
    for each in results:
        cells = [mean_and_spread(each.values[name]) for name in ours]
        cells.append(f'{each.weights:,}' if each.seeds else NOT_RUN)
        cells.append(f'{each.seconds.mean():.0f}' if len(each.seconds) else '')
        cells.append(str(len(each.seeds)))
        cells += [shown(name, each.row.paper[name]) for name in table.columns]
        lines.append(row_of([each.label, *cells]))
    lines += ['', *origin_lines(results)] if any(each.seeds for each in results) else []
    if orders:
        lines += ['', *order_lines(orders)]
    return '\n'.join(lines) + '\n'


def origin_lines(results: Sequence[Result]) -> list[str]:
    """Who measured the rows, and when: a line for each origin."""
    dates: dict[Origin, list[str]] = {}
    for each in results:
        if each.origin is not None:
            dates.setdefault(each.origin, []).extend(date[:10] for date in each.finished)
    return [f'{shown_origin(origin)}, {between(found)}.{OLD if origin.old else ""}'
            for origin, found in dates.items()]


def shown_origin(origin: Origin) -> str:
    """A version, and the digest of its sources where it is known."""
    measured = 'Old: measured' if origin.old else 'Measured'
    torch = dict(origin.libraries).get('torch')
    known = [f'sources {origin.sources}'] if origin.sources else []
    known += [f'torch {torch}'] if torch else []
    return f'{measured} with mmbt {origin.version}' + (f" ({', '.join(known)})" if known else '')


def between(dates: Sequence[str]) -> str:
    """The first and the last day."""
    first, last = min(dates), max(dates)
    return first if first == last else f'{first} to {last}'


def order_lines(orders: Sequence[Order]) -> list[str]:
    """What became of the paper's order, column by column."""
    lines = [row_of(["the paper's order of", 'in our', 'pairs that have it',
                     'in every seed', 'pairs that have not (seeds that have)']),
             row_of(['---', '---', '---:', '---:', '---'])]
    for order in orders:
        pairs = len(order.held) + len(order.broken)
        if not pairs:
            lines.append(row_of([order.paper, order.ours, NOT_RUN, '', '']))
            continue
        always = sum(right == total for right, total in order.seeds.values())
        broken = '; '.join(f'{low} < {high} ({how_often(order, (low, high))})'
                           for low, high in order.broken)
        lines.append(row_of([order.paper, order.ours, f'{len(order.held)} of {pairs}',
                             f'{always} of {pairs}', broken or 'none']))
    apart = max((len(order.apart) for order in orders), default=0)
    if apart:
        lines += ['', f'Not compared, since their rows were measured by different sources: {apart} '
                  'pairs.']
    return lines


def how_often(order: Order, pair: tuple[str, str]) -> str:
    """In how many seeds a pair has the paper's order."""
    if pair in order.equal:
        return 'equal'
    right, seeds = order.seeds[pair]
    return f'{right} of {seeds}'


def as_csv(table: Table, world: World, results: Sequence[Result]) -> str:
    """One line for each row and seed, with who measured it and the paper's numbers at its end."""
    text = io.StringIO()
    ours = [column.label for column in world.columns]
    theirs = [f'paper: {name}' for name in table.columns]
    columns = ['row', 'config', 'seed', *ours, 'train_seconds', 'trained_weights', *ORIGIN,
               *theirs]
    rows: list[list] = [columns]
    for each in results:
        for i, seed in enumerate(each.seeds):
            assert each.origin is not None, 'who measured is told of each seed'
            line: dict = {'row': each.row.label, 'config': each.row.config, 'seed': seed,
                          'trained_weights': each.weights, 'finished': each.finished[i],
                          'version': each.origin.version, 'sources': each.origin.sources,
                          'old': 'yes' if each.old else 'no'}
            line.update({name: round(float(each.values[name][i]), 3) for name in ours})
            if len(each.seconds):
                line['train_seconds'] = round(float(each.seconds[i]), 1)
            line.update({f'paper: {name}': value for name, value in each.row.paper.items()})
            rows.append([line.get(column, '') for column in columns])
    write_csv(text, rows)
    return text.getvalue()


def mean_and_spread(values: np.ndarray) -> str:
    """``mean ± standard deviation`` of a few seeds."""
    if not len(values):
        return NOT_RUN
    mean, deviation = values.mean(), spread(values)
    return f'{mean:.1f}' if math.isnan(deviation) else f'{mean:.1f} ± {deviation:.1f}'


def row_of(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
