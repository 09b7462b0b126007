"""The demo's report: its numbers as JSON, and as a page to look at."""
import json
import os
import os.path as osp
from html import escape

from mmbt.datasets.annotations import load_json
from mmbt.evaluation.pair_metric import read_pairs
from mmbt.files.atomic import whole_file
from mmbt.files.json_text import parse_json
from mmbt.files.text import read_lines

from ..world.scenes import MOTIONS
from . import page
from .charts import headline_bars, loss_charts, motion_bars
from .figures import main_picture
from .filmstrips import NUM_FRAMES, Filmstrips
from .retrievals import (
    Retrievals,
    choose_pairs,
    choose_varied,
    load_retrievals,
    motion_accuracy,
    outcomes,
)
from .scores import MODELS, check_metrics

TRAININGS = {'clip': 'CLIP on the stills', 'branch': 'BT-Adapter branch on the clips'}

_STEPS = {'install': 'installing', 'world': 'generating the world', 'clip': 'training CLIP',
          'branch': 'training the branch', 'test': 'testing', 'total': 'altogether'}
_GROUPS = {
    'branch': 'right with BT-Adapter, wrong with frame-mean CLIP',
    'both': 'right with both',
    'missed': 'wrong with BT-Adapter',
}
_SHOWN = {'branch': 4, 'both': 2, 'missed': 2}


def write_report(out_dir: str, runs: dict, meta: dict) -> None:
    """Write ``report.json``, ``report.html`` and ``demo.png``.

    Equal input gives equal files, apart from what the picture libraries' versions change.

    Args:
        out_dir: Folder to write to; made if missing.
        runs: ``bt_adapter`` and ``frame_mean``, each a dict of ``metrics`` (as the evaluators
            give them, flat) and ``features``, the ``.npz`` path of ``VideoTextRetrieval(dump=)``.
        meta: ``seed``; ``command``, what makes such a report when a seed is put behind it, by
            default ``make demo SEED=``; ``world``, the folder of the world; ``seconds``,
            ``versions`` and ``machine``, names to values; ``scalars``, the ``scalars.json`` paths
            of the trainings ``clip`` and ``branch``.

    Raises:
        FileNotFoundError: an input file is missing.
        ValueError: an input is malformed, or the two models were not tested on the same videos.
    """
    check_metrics(runs)
    world = _read_world(meta['world'])
    retrievals = _load_both(runs)
    curves = {title: read_losses(meta['scalars'][name]) for name, title in TRAININGS.items()
              if name in meta['scalars']}
    pairs = _pair_indices(meta['world'], retrievals['bt_adapter'].videos)
    strips = Filmstrips(osp.join(meta['world'], 'videos'))

    report = make_report(runs, meta, world)
    groups = group_queries(retrievals)
    poster = _draw_main_picture(report['metrics'], retrievals, strips, groups)
    sections = [
        _introduction(world),
        _numbers(report['metrics'], retrievals),
        _motions(retrievals),
        _queries(groups, retrievals, strips),
        _pairs(choose_pairs(retrievals['bt_adapter'], pairs), retrievals, strips),
        _trainings(curves),
        _facts(report),
    ]
    title = f'BT-Adapter in the {world["name"]} world, seed {meta["seed"]}'
    html = page.build_page(title, sections)

    os.makedirs(out_dir, exist_ok=True)
    _write(osp.join(out_dir, 'demo.png'), poster)
    _write(osp.join(out_dir, 'report.html'), html.encode())
    text = json.dumps(report, indent=1, allow_nan=False, default=str) + '\n'
    _write(osp.join(out_dir, 'report.json'), text.encode())


def make_report(runs: dict, meta: dict, world: dict) -> dict:
    """Return the content of ``report.json``; metrics are as the evaluators gave them."""
    metrics = {model: {key: float(value) for key, value in sorted(runs[model]['metrics'].items())}
               for model in MODELS}
    branch, baseline = metrics['bt_adapter'], metrics['frame_mean']
    return {
        'seed': meta['seed'],
        'seconds': dict(meta['seconds']),
        'versions': dict(sorted(meta['versions'].items())),
        'machine': dict(sorted(meta['machine'].items())),
        'world': world,
        'metrics': metrics,
        'difference': {key: branch[key] - baseline[key] for key in branch if key in baseline},
        'command': meta.get('command', 'make demo SEED=') + str(meta['seed']),
    }


def read_losses(path: str) -> dict[str, tuple[list[int], list[float]]]:
    """Read the losses that mmengine logged: name to steps and values, the sum first.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is no such file, or holds no loss.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'training log {path} is missing: train first')
    losses: dict[str, tuple[list[int], list[float]]] = {'loss': ([], [])}
    for number, line in read_lines(path, 'training log'):
        entry = parse_json(line, f'training log {path} line {number}')
        if not isinstance(entry, dict):
            raise ValueError(f'training log {path} line {number} holds no losses of a step')
        found = [key for key in entry if key.startswith('loss')]
        if found and not all(isinstance(entry.get(key), (int, float)) for key in (*found, 'step')):
            raise ValueError(f'training log {path} line {number} holds no losses of a step')
        for name in found:
            steps, values = losses.setdefault(name, ([], []))
            steps.append(entry['step'])
            values.append(entry[name])
    if not losses['loss'][0]:
        raise ValueError(f'training log {path} holds no loss')
    return losses if len(losses) > 2 else {'loss': losses['loss']}  # one part equals the sum


def group_queries(retrievals: dict[str, Retrievals]) -> dict[str, dict]:
    """Choose the queries to show, and count those they stand for.

    Returns:
        For each of the groups ``branch`` (only it is right), ``both`` and ``missed`` (the branch
        is wrong): ``all``, the number of its queries, and ``shown``, the chosen ones.
    """
    found = outcomes(retrievals['bt_adapter'], retrievals['frame_mean'])
    found['missed'] = sorted(found['baseline'] + found['neither'])
    scenes = retrievals['bt_adapter'].scenes()
    return {name: dict(all=len(found[name]), shown=choose_varied(found[name], scenes, count))
            for name, count in _SHOWN.items()}


def _draw_main_picture(metrics: dict, retrievals: dict[str, Retrievals], strips: Filmstrips,
                       groups: dict[str, dict]) -> bytes:
    name = next(name for name, group in groups.items() if group['shown'])
    total = len(retrievals['bt_adapter'].captions)
    note = f'one of the {groups[name]["all"]} of {total} queries {_GROUPS[name]}'
    return main_picture(metrics, retrievals, strips, groups[name]['shown'][0], note)


def _introduction(world: dict) -> str:
    return page.paragraph(
        f'Seed {world["seed"]} generated {world["train"]:,} training clips, {world["test"]:,} '
        f'test clips and {world["stills"]:,} still pictures of moving shapes, '
        f'{world["size"]} × {world["size"]} pixels each; no combination of object, background and '
        'motion in the test clips was trained on. A small CLIP was trained on the stills '
        'and frozen, and a BT-Adapter branch beside it was trained on the captioned clips. Both '
        'were then tested zero-shot on the test clips: the branch, and frame-mean CLIP, the same '
        'CLIP with the features of a clip’s frames averaged, which loses their order.')


def _numbers(metrics: dict, retrievals: dict[str, Retrievals]) -> str:
    videos = len(retrievals['bt_adapter'].videos)
    return page.section(
        'The numbers', headline_bars(metrics, videos),
        page.numbers_table(metrics, videos),
        page.paragraph(
            f'Percent, except ranks. Retrieval: each of the {videos} captions looks for its own '
            'clip among all clips, and each clip for its caption; R@k is the share that find it '
            f'among the first k. Recognition: each clip is given one of {len(MOTIONS)} motions. '
            'Time-order pairs: a clip and its reversal have the same frames and differ only in '
            'their order; the number is the share matched to the right one of the two. Chance is '
            'what guessing scores on average: k of all candidates, one half for pairs, and the '
            'middle rank.', faint=True))


def _motions(retrievals: dict[str, Retrievals]) -> str:
    accuracy = {model: motion_accuracy(found).tolist() for model, found in retrievals.items()}
    return page.section(
        'Motion by motion',
        page.paragraph('Share of each motion’s captions whose first retrieved clip shows that '
                       'motion, in percent, whatever its scene; clips with equal scores share the '
                       'first place.'),
        motion_bars(accuracy, 100 / len(MOTIONS)))


def _queries(groups: dict[str, dict], retrievals: dict[str, Retrievals],
             strips: Filmstrips) -> str:
    total = len(retrievals['bt_adapter'].captions)
    parts = [page.paragraph(
        f'Three best clips of each model, as they play and in {NUM_FRAMES} frames, with their '
        'similarity to the caption, in as many digits as tell different ones apart; green is the '
        'clip that the caption belongs to, red another one, amber clips that tie with the right '
        'one; a tie counts as wrong below. Bold is where another clip’s caption differs. '
        'Frame-mean CLIP scores a clip and its reversal alike up to rounding, so which of the two '
        'comes first is luck.')]
    for name, group in groups.items():
        shown = len(group['shown'])
        parts.append(f'<h3>{group["all"]} of {total} queries: {_GROUPS[name]} '
                     f'<span class="faint">({shown} shown)</span></h3>')
        parts += [page.query_row(query, retrievals, strips) for query in group['shown']]
    return page.section('What captions retrieve', *parts)


def _pairs(pairs: list[tuple[int, int]], retrievals: dict[str, Retrievals],
           strips: Filmstrips) -> str:
    return page.section(
        'The order of time',
        page.paragraph('Clip B is clip A played backwards. Each row is the similarity of one '
                       'caption to both clips, the higher one in bold. The first pair is one that '
                       'BT-Adapter tells apart, the second one where it fails, if there is any.'),
        *(page.pair_block(pair, retrievals, strips) for pair in pairs))


def _trainings(curves: dict) -> str:
    if not curves:
        return ''
    return page.section('The trainings', loss_charts(curves))


def _facts(report: dict) -> str:
    seconds = {_STEPS.get(name, name): f'{value:,.1f} s'
               for name, value in report['seconds'].items()}
    again = report['command'].removesuffix(str(report['seed'])) + str(report['seed'] + 1)
    tables = [page.facts_table(facts)
              for facts in (seconds, report['versions'], report['machine']) if facts]
    return page.section(
        'Time, versions and machine',
        f'<p>Repeat with another seed: <code>{escape(again)}</code></p>',
        '<div class="facts">' + ''.join(tables) + '</div>')


def _load_both(runs: dict) -> dict[str, Retrievals]:
    both = {model: load_retrievals(runs[model]['features']) for model in MODELS}
    branch, baseline = both['bt_adapter'], both['frame_mean']
    if (branch.videos, branch.captions) != (baseline.videos, baseline.captions):
        raise ValueError(f'features files {runs["bt_adapter"]["features"]} and '
                         f'{runs["frame_mean"]["features"]} are not of the same videos and '
                         'captions')
    return both


def _read_world(root: str) -> dict:
    path = osp.join(root, 'world.json')
    if not osp.isfile(path):
        raise FileNotFoundError(f'{path} is missing: {root} holds no world')
    return load_json(path, dict)


def _pair_indices(root: str, videos: list[str]) -> list[tuple[int, int]]:
    path = osp.join(root, 'test_pairs.json')
    index = {video: place for place, video in enumerate(videos)}
    pairs = read_pairs(path)
    for video in (video for pair in pairs for video in pair):
        if video not in index:
            raise ValueError(f'{path} names video {video!r}, which the features files do not hold')
    return [(index[a], index[b]) for a, b in pairs]


def _write(path: str, data: bytes) -> None:
    """Write a file that is either complete or as it was before."""
    with whole_file(path) as draft:
        draft.write_bytes(data)
