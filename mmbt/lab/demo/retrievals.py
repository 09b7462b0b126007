"""What a model retrieved in the test of a moving-shapes world, and which of it to show."""
import os.path as osp
from dataclasses import dataclass

import numpy as np
import torch

from mmbt.evaluation.retrieval import similarity

from ..world.scenes import MOTIONS, Scene, parse_caption

_ARRAYS = ('video_ids', 'captions', 'video_features', 'text_features', 'text_to_video',
           'top_videos')


@dataclass(frozen=True)
class Retrievals:
    """One model's test. Query ``q`` is caption ``q``; its right answer is its own video.

    Attributes:
        videos: Names of the N video files.
        captions: The M queries.
        own: (M,) the video of each query.
        top: (M, k) the best videos of each query, best first.
        scores: (M, N) cosine similarity of every query to every video.
    """

    videos: list[str]
    captions: list[str]
    own: np.ndarray
    top: np.ndarray
    scores: np.ndarray

    def is_right(self) -> np.ndarray:
        """Return (M,) whether a query's own video is more similar than every other video."""
        return self.best_videos()[np.arange(len(self.own)), self.own] == 1

    def verdict(self, query: int, video: int) -> str:
        """Return 'right' for a query's own video, 'tied' for equal scores, or 'wrong'.

        The own video is itself 'tied' while another one has its score.
        """
        own = self.own[query]
        same = self.scores[query] == self.scores[query, own]
        if same[video] and same.sum() > 1:
            return 'tied'
        return 'right' if video == own else 'wrong'

    def best_videos(self) -> np.ndarray:
        """Return (M, N) the chance of each video to come first: ties share it evenly."""
        best = self.scores == self.scores.max(axis=1, keepdims=True)
        return best / best.sum(axis=1, keepdims=True)

    def scenes(self) -> list[tuple[Scene, int]]:
        """Return the scene and the motion label of each query.

        Raises:
            ValueError: a caption is not one of a moving clip of this world.
        """
        parsed = [parse_caption(caption) for caption in self.captions]
        return [(scene, MOTIONS.index(motion)) for scene, motion in parsed]

    def query_of(self, video: int) -> int:
        """Return the query whose own video this is."""
        return int(np.flatnonzero(self.own == video)[0])

    def motions_of_videos(self) -> np.ndarray:
        """Return (N,) the motion label of each video."""
        labels: np.ndarray = np.empty(len(self.videos), dtype=int)
        labels[self.own] = [label for _, label in self.scenes()]
        return labels


def load_retrievals(path: str) -> Retrievals:
    """Read the ``.npz`` file that ``VideoTextRetrieval(dump=...)`` wrote.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: an array is missing, or the videos do not have one caption each.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'features file {path} is missing: run the retrieval test first')
    with np.load(path) as stored:
        missing = [name for name in _ARRAYS if name not in stored]
        if missing:
            raise ValueError(f'features file {path} has no {", ".join(missing)}')
        data = {name: stored[name] for name in _ARRAYS}
    own = data['text_to_video']
    if sorted(own.tolist()) != list(range(len(data['video_ids']))):
        raise ValueError(f'features file {path} must hold one caption for each video, got '
                         f'{len(own)} captions of {len(data["video_ids"])} videos')
    scores = similarity(torch.from_numpy(data['text_features']),
                        torch.from_numpy(data['video_features'])).numpy()
    return Retrievals(data['video_ids'].tolist(), data['captions'].tolist(), own,
                      data['top_videos'], scores)


def motion_accuracy(retrievals: Retrievals) -> np.ndarray:
    """Return (12,) for each motion the percentage of its queries whose first video shows it.

    Tied videos share the first place evenly. A motion without queries has NaN.
    """
    queries = np.array([label for _, label in retrievals.scenes()])
    same = queries[:, None] == retrievals.motions_of_videos()[None, :]
    hits = (retrievals.best_videos() * same).sum(axis=1)
    return np.array([100 * hits[queries == label].mean() if (queries == label).any() else np.nan
                     for label in range(len(MOTIONS))])


def outcomes(branch: Retrievals, baseline: Retrievals) -> dict[str, list[int]]:
    """Return the queries that 'both', 'branch', 'baseline' or 'neither' get right."""
    by_branch, by_baseline = branch.is_right(), baseline.is_right()
    masks = {'both': by_branch & by_baseline, 'branch': by_branch & ~by_baseline,
             'baseline': ~by_branch & by_baseline, 'neither': ~by_branch & ~by_baseline}
    return {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()}


def choose_varied(queries: list[int], scenes: list[tuple[Scene, int]], count: int) -> list[int]:
    """Choose up to ``count`` queries that differ in motion and scene; equal input, equal choice.

    Each next query is the first of those whose pair of motions, and then whose colour, shape and
    background, were chosen least often so far.
    """
    def familiarity(query: int, chosen: list[int]) -> tuple[int, int, int]:
        scene, label = scenes[query]
        seen = [scenes[other] for other in chosen]
        words = sum((scene.color == other.color) + (scene.shape == other.shape)
                    + (scene.background == other.background) for other, _ in seen)
        return sum(label // 2 == other // 2 for _, other in seen), words, query

    chosen: list[int] = []
    for _ in range(min(count, len(queries))):
        chosen.append(min((query for query in queries if query not in chosen),
                          key=lambda query: familiarity(query, chosen)))
    return chosen


def pair_scores(retrievals: Retrievals, pair: tuple[int, int]) -> np.ndarray:
    """Return (2, 2): row i the similarity of video i's caption to both videos of a pair."""
    captions = [retrievals.query_of(video) for video in pair]
    return retrievals.scores[np.ix_(captions, pair)]


def choose_pairs(retrievals: Retrievals, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Choose two pairs: the first whose captions both find their own video, the first other one.

    Where there is only one kind, both are of that kind, and of different motions if possible.
    """
    def told_apart(pair: tuple[int, int]) -> bool:
        (a, b), (c, d) = pair_scores(retrievals, pair)
        return a > b and d > c

    motions: np.ndarray = retrievals.motions_of_videos() // 2
    first = next((pair for pair in pairs if told_apart(pair)), pairs[0])
    others = [pair for pair in pairs if pair != first]
    others.sort(key=lambda pair: (told_apart(pair), motions[pair[0]] == motions[first[0]]))
    return [first, *others[:1]]
