"""How well a search finds moments, and when: recall at an intersection over union (IoU) of 0.5."""
from collections.abc import Callable, Sequence
from pathlib import Path

from mmbt.files.shipped import shipped
from mmbt.search.query import Hit, Query
from mmbt.search.video_search import VideoSearch
from mmbt.search.windows import WindowPlan

from .films import Moment, make_films
from .machine import versions

TOPS = (1, 5)
IOU = 0.5
PLAN = WindowPlan(length=2, stride=1)
"""Windows as long as the clips that the demo's branch is trained on."""
MODELS = {
    'branch': ('demo_retrieval', 'branch/epoch_20.pth'),
    'frame mean': ('demo_retrieval_frame_mean', 'clip/epoch_16.pth'),
}


def overlap(hit: Hit, moment: Moment) -> float:
    """The IoU of two spans of time, 0 where they are of different films."""
    if hit.path != moment.film:
        return 0.
    both = min(hit.end, moment.end) - max(hit.start, moment.start)
    return max(both, 0.) / (max(hit.end, moment.end) - min(hit.start, moment.start))


def recall_of_moments(find: Callable[[Query, int], Sequence[Hit]], moments: Sequence[Moment],
                      mode: str = 'plain') -> dict[str, float]:
    """How many of the moments are among the first hits for their captions, in per cent.

    Args:
        find: :meth:`VideoSearch.search`, or what does the same.
        moments: What is to be found; films are those of the search's index, by absolute paths.
        mode: Of the queries.

    Returns:
        ``film/R1``, ``film/R5`` where the film is given, ``all/R1``, ``all/R5`` over all films.
    """
    found = dict.fromkeys([f'{where}/R{top}' for where in ('film', 'all') for top in TOPS], 0)
    for moment in moments:
        for where, scope in (('film', moment.film), ('all', None)):
            query = Query((moment.caption,), mode=mode, scope=scope)
            right = [overlap(hit, moment) >= IOU for hit in find(query, max(TOPS))]
            for top in TOPS:
                found[f'{where}/R{top}'] += any(right[:top])
    return {name: 100 * count / len(moments) for name, count in found.items()}


def measure_moments(demo: Path, seed: int = 0) -> dict:
    """Make films of the demo's test clips, and look for each of them by its caption.

    Args:
        demo: What ``mmbt demo`` wrote: its world, CLIP and branch. The films go there too.
        seed: Of the films.

    Returns:
        What :func:`moments_as_text` shows.

    Raises:
        FileNotFoundError: If the demo has not run there.
    """
    for path in ('world/world.json', *(weights for _, weights in MODELS.values())):
        if not (demo / path).exists():
            raise FileNotFoundError(f'{demo / path} is missing: run `mmbt demo` first, or name '
                                    'its folder by --demo')
    moments = make_films((demo / 'world').absolute(), (demo / 'films').absolute(), seed=seed)
    rows = []
    for name, (config, weights) in MODELS.items():
        search = VideoSearch.from_config(str(shipped('configs') / 'demo' / f'{config}.py'),
                                         str(demo / weights), plan=PLAN)
        search.add(dict.fromkeys(moment.film for moment in moments), on_broken='error')
        for mode in ('plain', 'time') if search.index.has_baseline else ('plain',):
            rows.append(dict(model=name, mode=mode, windows=search.index.count_windows(),
                             **recall_of_moments(search.search, moments, mode)))
    return dict(command='moments', seed=seed, moments=len(moments), iou=IOU, rows=rows,
                films=len({moment.film for moment in moments}), versions=versions())


def moments_as_text(report: dict) -> str:
    """The report as a table."""
    names = [f'{where}/R{top}' for where in ('film', 'all') for top in TOPS]
    return '\n'.join([
        f"moments: {report['moments']} in {report['films']} films of ten minutes, per cent at an "
        f"IoU of {report['iou']}; film: in the right film, all: in all of them",
        f"{'model':>10} {'mode':>5} | " + ' '.join(f'{name:>8}' for name in names),
        *(f"{row['model']:>10} {row['mode']:>5} | "
          + ' '.join(f'{row[name]:8.1f}' for name in names) for row in report['rows'])])
