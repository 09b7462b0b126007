"""Which of the test videos were scored, where some could not be read.

A dataset with ``on_broken='skip'`` gives in place of a video that it cannot read a blank one whose
data sample carries the reason as ``broken``. A metric keeps of it only this reason, scores the
others as if it were not in the set, and reports how many of how many it scored.
"""
import logging
import os.path as osp

from mmengine.logging import MMLogger, print_log

from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable

NAMED_IN_LOG = 100


def broken_result(sample: dict) -> dict | None:
    """Return what a metric keeps of a sample that could not be read, None for any other."""
    reason = sample.get('broken')
    return None if reason is None else dict(
        broken=reason, video_id=sample.get('video_id'))


def scored_results(results: list[dict], name: str) -> tuple[list[dict], dict[str, float]]:
    """Leave out what could not be read, and tell the log which that was.

    The log names the first hundred. Where it has a file, ``unscored_{name}.txt`` beside it names
    all, a line each with the reason.

    Args:
        results: One a video, those of :func:`broken_result` among them.
        name: The metric's prefix.

    Returns:
        The other results, and ``dict(scored=..., total=...)``, see :func:`counts_of`.

    Raises:
        ValueError: If there were no videos, or none that could be read.
    """
    if not results:
        raise ValueError('no video was evaluated: the dataset is empty')
    broken = [result['broken'] for result in results if 'broken' in result]
    scored = [result for result in results if 'broken' not in result]
    if broken and not scored:
        raise ValueError(f'none of {len(results):,} test videos could be read, the first: '
                         f'{broken[0]}; check data_prefix')
    if broken:
        _tell(broken, len(results), name)
    return scored, counts_of(len(scored), len(results))


def counts_of(scored: int, total: int) -> dict[str, float]:
    """How many of how many, as floats: mmengine's JSON log makes whole numbers null."""
    return dict(scored=float(scored), total=float(total))


def _tell(broken: list[str], total: int, name: str) -> None:
    path = _beside_the_log(f'unscored_{name}.txt')
    listed = broken[:NAMED_IN_LOG]
    if len(broken) > len(listed):
        listed = [*listed, f'and {len(broken) - len(listed):,} more']
    if path is not None:
        with whole_file(path) as draft:
            draft.write_text(''.join(f'{printable(reason)}\n' for reason in broken), 'utf-8')
    print_log(f'{name}: {total:,} test videos: {total - len(broken):,} scored, '
              f'{len(broken):,} not{f" (all in {path})" if path else ""}: '
              + '; '.join(map(printable, listed)),
              logger='current', level=logging.WARNING)


def _beside_the_log(filename: str) -> str | None:
    """Where a file of this run goes, None where the log has no file."""
    log = MMLogger.get_current_instance().log_file
    return osp.join(osp.dirname(log), filename) if log else None
