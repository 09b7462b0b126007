"""What was found, with the scores that show why."""
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmbt.files.shown import printable
from mmbt.search.moment_index import Found
from mmbt.search.query import Hit, merge
from mmbt.search.video_search import VideoSearch


class Moment(NamedTuple):
    """A hit, and the scores of all windows of its video in the order of time."""

    hit: Hit
    scores: list[Found]


@dataclass
class Answer:
    """Moments, best first, and what a user should know of them."""

    moments: list[Moment]
    notes: list[str] = field(default_factory=list)


@dataclass
class Comparison:
    """The moments of a branch, those of its frame mean, and both scores of each of their videos."""

    branch: list[Moment]
    mean: list[Moment]
    scores: dict[str, tuple[list[Found], list[Found]]]
    notes: list[str]


def frame_mean_hits(search: VideoSearch, vector: Any, top: int, scope: str) -> list[Hit]:
    """The moments that fit a query by the frame mean alone, best first."""
    known: dict[str, list[Found]] = {}

    def of_video(path: str) -> list[Found]:
        if path not in known:
            known[path] = search.index.scores(path, vector, 'baseline')
        return known[path]

    count = max(64, 16 * top)
    while True:
        found = search.index.search(vector, count, scope=scope, column='baseline')
        if not found:
            raise ValueError(f'no video of the index lies in {printable(scope)}')
        hits = merge(found, of_video, top, search.temperature / 2)
        if len(hits) == top or len(found) < count:
            return hits
        count *= 4
