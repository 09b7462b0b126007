"""What page and API do: one model, the folders, an index for each, one job at a time."""
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.shown import printable
from mmbt.models import FrameMean
from mmbt.search.labels import LabelledWindow, check_labels
from mmbt.search.loaded import LoadedModel
from mmbt.search.moment_index import Found
from mmbt.search.places import place_for
from mmbt.search.query import MODES, Query
from mmbt.search.stamps import stamp_of
from mmbt.search.video_rows import VideoRow
from mmbt.search.video_search import VideoSearch

from .folders import Folders
from .indexing import Indexing, Progress
from .limits import Limits
from .moments import Answer, Comparison, Moment
from .playing import Player
from .shared_encoder import SharedEncoder
from .turns import Jobs, Turns

"""How moments may be ranked, and the index's column for it."""


class Service:
    """Searches and labels the videos of folders by one model.

    Args:
        model: The model.
        folders: The folders.
        indexes: Where their indexes are kept; None: in the cache.
        cache: Where previews are kept.
        limits: What may be asked.
        **settings: ``batch_size`` and ``workers`` of indexing.

    Attributes:
        jobs (Jobs): One job at a time, in the order of coming.
        indexing (Indexing): What is being indexed.
        player (Player): What browsers can play.
    """

    def __init__(self, model: LoadedModel, folders: Folders,
                 indexes: str | os.PathLike | None, cache: str | os.PathLike,
                 limits: Limits | None = None, **settings: Any) -> None:
        self.model, self.folders, self.indexes = model, folders, indexes
        self.limits = limits or Limits()
        self.jobs = Jobs(self.limits.waiting)
        self.encoder = SharedEncoder(model.encoder, Turns(self.limits.waiting + 8))
        self.indexing = Indexing(lambda folder: list(folders.videos(folder)), self._new_search,
                                 **settings)
        self.player = Player(cache)
        self._searches: dict[str, VideoSearch] = {}
        self._guard = threading.Lock()

    @property
    def compares(self) -> bool:
        """Whether the model has a branch, which can be compared with its frame mean."""
        return self.encoder.has_baseline

    @property
    def model_name(self) -> str:
        """The model in words."""
        backbone = self.model.model.backbone
        kind = 'the mean of frames' if isinstance(backbone, FrameMean) else (
            'a branch' if self.compares else type(backbone).__name__)
        arch = self.model.model.trunk.card.arch
        beside = '' if arch in (None, 'custom') else f', {printable(arch)}'
        return f'{printable(os.path.basename(self.model.name))} ({kind}{beside})'

    def _new_search(self, folder: str, watch: Callable[[], None] = lambda: None) -> VideoSearch:
        with self._guard:
            search = self._empty_search(watch)
            root = self.folders.root_of(folder)
            made_by = self.encoder.made_with(search.plan)
            search.open(place_for(root, made_by, self.indexes), create=True)
            return search

    def _empty_search(self, watch: Callable[[], None] = lambda: None) -> VideoSearch:
        model = self.model
        search = VideoSearch(model.model, model.pipeline, model.context_length)
        search.encoder = SharedEncoder(self.encoder, self.encoder.turns, watch)
        search.temperature = model.temperature
        return search

    def search_of(self, folder: str) -> VideoSearch:
        """The search in the index of a folder, for one job at a time; with what is new in it."""
        root = self.folders.root_of(folder)
        if root not in self._searches:
            self._searches[root] = self._new_search(root)
        self._searches[root].index.refresh()
        return self._searches[root]

    def folder(self, path: str | None) -> str:
        """A folder within those that were opened; None is the first of them."""
        found = self.folders.roots[0] if not path else self.folders.within(path)
        if not os.path.isdir(found):
            raise ValueError(f'{printable(self.folders.name(found))} is no folder')
        return found

    def index(self, folder: str | None = None) -> Progress:
        """Begin to index the videos below a folder."""
        path = self.folder(folder)
        if next(self.folders.videos(path), None) is None:
            raise ValueError(f'no videos in {printable(self.folders.name(path))}: none of its '
                             f'files ends in {", ".join(VIDEO_SUFFIXES)}')
        return self.indexing.start(path)

    def progress(self, folder: str | None = None) -> Progress:
        """How far the indexing of a folder is, by what its index holds where none has begun."""
        path = self.folder(folder)
        latest = self.indexing.latest.get(path)
        if latest is not None and latest.at_work:
            return replace(latest)
        rows = self._rows(path)
        videos = list(self.folders.videos(path))
        known = [rows[video] for video in videos if video in rows]
        broken = {row.path: row.error for row in known if row.error}
        now = latest or Progress(path)
        state = now.state if now.state == 'failed' else (
            'done' if len(known) == len(videos) else 'stopped')
        return replace(now, state=state, total=len(videos), done=len(known), broken=broken)

    def _rows(self, folder: str) -> dict[str, VideoRow]:
        return self.jobs.run(lambda: {row.path: row
                                      for row in self.search_of(folder).index.videos()})

    def search(self, texts: Sequence[str], without: Sequence[str] = (), mode: str = 'plain',
               top: int = 10, folder: str | None = None) -> Answer:
        """The moments that texts describe.

        Args:
            texts: What the moment shows, all of it.
            without: What it does not show.
            mode: ``'plain'``, ``'time'`` (what the branch adds to its frame mean) or ``'mean'``
                (the frame mean alone).
            top: How many.
            folder: Within those that were opened; None is the first of them.

        Raises:
            ValueError: If something that is asked is not allowed or not there.
            Busy: If many wait already.
        """
        texts, without = self.limits.checked(texts), self.limits.checked(without)
        if not texts or not all((*texts, *without)):
            raise ValueError('the text is empty: say what the moment shows')
        if mode not in MODES:
            raise ValueError(f'mode must be one of {", ".join(MODES)}, got {mode!r}')
        self.limits.check_top(top)
        scope = self.folder(folder)
        query = Query(texts, without=without, mode=mode, scope=scope)

        def find() -> list[Moment]:
            search = self.search_of(scope)
            if not search.index.count_windows():
                raise ValueError(f'nothing of {printable(self.folders.name(scope))} is in the '
                                 'index yet: index it, and wait for its first videos')
            if mode != 'plain' and not search.index.has_baseline:
                raise ValueError(f'the mode {mode!r} needs a model with a branch, and '
                                 f'{printable(self.model.name)} has none')
            vector, column = search.vector(query), MODES[mode]
            hits = search.search(query, top)
            scores = {path: search.index.scores(path, vector, column)
                      for path in dict.fromkeys(hit.path for hit in hits)}
            return [Moment(hit, scores[hit.path]) for hit in hits]

        moments = self.jobs.run(find)
        notes = [note for note in map(self.encoder.doubt, (*texts, *without)) if note]
        return Answer(moments, notes)

    def compare(self, text: str, top: int = 5, folder: str | None = None) -> 'Comparison':
        """The moments by the branch and those by its frame mean.

        Args:
            text: What they show.
            top: How many of each.
            folder: Within those that were opened; None is the first of them.

        Raises:
            ValueError: As :meth:`search`; also where the model has no branch.
            Busy: If many wait already.
        """
        mean = self.search([text], mode='mean', top=top, folder=folder)
        branch = self.search([text], top=top, folder=folder)
        paths = dict.fromkeys(each.hit.path for each in (*branch.moments, *mean.moments))
        known = {each.hit.path: each.scores for each in branch.moments}
        of_mean = {each.hit.path: each.scores for each in mean.moments}

        def score() -> dict[str, tuple[list[Found], list[Found]]]:
            search = self.search_of(self.folder(folder))
            vector = search.vector(Query((text.strip(), )))
            return {path: (known.get(path) or search.index.scores(path, vector),
                           of_mean.get(path) or search.index.scores(path, vector, 'baseline'))
                    for path in paths}

        return Comparison(branch.moments, mean.moments, self.jobs.run(score), branch.notes)

    def label(self, video: str, classes: Sequence[str], top: int = 5
              ) -> tuple[list[tuple[str, float]], list[LabelledWindow]]:
        """The classes that a video may be of, as a whole and window by window.

        Args:
            video: In the folders.
            classes: At least two names.
            top: How many classes of each.

        Raises:
            VideoReadError: If it cannot be read.
            ValueError: If it is too long, or an argument is not allowed.
            Busy: If many wait already.
        """
        path = self.folders.video(video)
        names = check_labels(self.limits.checked(classes), top, 1.)
        if not all(names):
            raise ValueError('a name of a class is empty')

        def name() -> tuple[list[tuple[str, float]], list[LabelledWindow]]:
            search = self._of_video(path)
            return (search.label(path, names, top),
                    search.label(path, names, top, over_time=True))

        return self.jobs.run(name)

    def _of_video(self, path: str) -> VideoSearch:
        """The search that knows a video; else one that has just read it, within the limit."""
        roots = [root for root in self.folders.roots if path.startswith(root + os.sep)]
        if roots:
            search = self.search_of(roots[0])
            if search.index.is_current(path, *stamp_of(path)):
                return search
        self.check_length(path)
        alone = self._empty_search()
        alone.add([path], on_broken='error')
        return alone

    def check_length(self, path: str) -> None:
        """Raise ValueError where a video is longer than may be read at once."""
        seconds = self.player.playable(path).seconds
        if seconds > self.limits.seconds:
            raise ValueError(f'{printable(self.folders.name(path))} lasts {seconds / 60:.0f} '
                             f'minutes: the most is {self.limits.seconds / 60:.0f}, unless it is '
                             'in the index')

    def videos(self, folder: str | None = None) -> list[dict[str, Any]]:
        """What is known of each video below a folder."""
        path = self.folder(folder)
        rows = self._rows(path)
        found = []
        for video in self.folders.videos(path):
            row = rows.get(video)
            state = 'new' if row is None else 'broken' if row.error else 'indexed'
            found.append(dict(path=video, state=state, seconds=row.duration if row else 0.,
                              windows=row.windows if row else 0, error=row.error if row else ''))
        return found

    def check_upload(self, path: str) -> None:
        """See that an uploaded video may be used.

        Raises:
            VideoReadError: If it cannot be read.
            ValueError: If it is too large or too long.
        """
        size = os.path.getsize(path)
        if size > self.limits.upload_bytes:
            raise ValueError(f'{size / 2**20:.0f} MB are too many: the most is '
                             f'{self.limits.upload_bytes / 2**20:.0f} MB')
        self.check_length(self.folders.video(path))
