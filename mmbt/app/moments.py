"""What was found, with the scores that show why."""
from dataclasses import dataclass, field
from typing import NamedTuple

from mmbt.search.moment_index import Found
from mmbt.search.query import Hit


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
