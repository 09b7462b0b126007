"""An index of moments and its peers, measured and set side by side."""
import shutil
from pathlib import Path
from typing import Any

from .index import OF_A_SEARCH, Report, Vectors, measure_index
from .index_peers import measure_peer


def run_index_benchmark(folder: Path, windows: int, width: int, peers: list[str],
                        report: Report) -> dict[str, Any]:
    """Measure the index, then each peer, in a folder that is removed at the end."""
    if windows < 100 or width < 1:
        raise ValueError(f'an index is measured with 100 windows and 1 channel at least, got '
                         f'{windows} and {width}')
    if folder.exists():
        raise ValueError(f'{folder} is there already: name a new folder to measure in')
    try:
        found = measure_index(folder / 'index', windows, width, report=report)
        truth_source = Vectors(windows, width)
        found['peers'] = {name: measure_peer(name, truth_source, folder / 'peer', report)
                          for name in peers}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def index_as_text(found: dict[str, Any]) -> str:
    """A Markdown table: the index, then its peers."""
    def row(name: str, build: float, size: float, opened: float, appended: float, query: float,
            recall: float, memory: float) -> str:
        return (f'| {name} | {build:.0f} s | {size / 1e9:.2f} GB | {opened * 1e3:.0f} ms | '
                f'{appended * 1e3:.0f} ms | {query * 1e3:.1f} ms | {recall:.3f} | '
                f'{memory / 2**30:.1f} GiB |')
    lines = [f"{found['windows']:,} windows of {found['width']}, {found['cores']} cores, load "
             f"{found['load']:.1f} at the start; medians.", '',
             '| | build | bytes | open | append 100 | query | recall@10 | memory |',
             '|---|---|---|---|---|---|---|---|',
             row('mmbt, exact', found['fill'], found['bytes_filled'], found['open'],
                 found['append'], found['exact'], found['exact_recall'], found['memory'])]
    if found['kind'] == 'approximate':
        lines.append(row('mmbt, approximate', found['fill'] + found['build'], found['bytes'],
                         found['open again'], found['append when built'], found['approximate'],
                         found['approximate_recall'], found['memory']))
    lines += [row(each['name'], each['build'], each['bytes'], each['open'], each['append'],
                  each['query'], each['recall'], each['memory'])
              for each in found['peers'].values()]
    return '\n'.join([*lines, '', (
        f"Opened for the first time here: {found['open unknown']:.2f} s. In one of a hundred "
        f"folders: {found['in a folder'] * 1e3:.0f} ms. Ten moments of {OF_A_SEARCH} windows: "
        f"{found['a search'] * 1e3:.0f} ms. The limit of an exact query, reading its bytes once: "
        f"{found['limit'] * 1e3:.0f} ms.")])
