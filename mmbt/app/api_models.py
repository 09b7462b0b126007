"""What the JSON API takes and gives; its schema is made of these."""
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Request(BaseModel):
    model_config = ConfigDict(extra='forbid')


class SearchRequest(_Request):
    """What is looked for."""

    text: str | list[str] = Field(description='what the moment shows; of several, all at once')
    without: str | list[str] = Field([], description='what it does not show')
    mode: Literal['plain', 'time', 'mean'] = Field('plain', description=(
        "'time' ranks by what the branch adds to its frame mean, 'mean' by the frame mean alone"))
    top: int = Field(10, description='how many moments')
    folder: str | None = Field(None, description='find nothing outside it')
    scores: bool = Field(False, description="add the scores of all windows of each hit's video")


class Score(BaseModel):
    """A window of a video, in seconds, and its score."""

    start: float
    end: float
    score: float


class FoundHit(Score):
    """A moment of a video, in seconds."""

    path: str
    url: str = Field(description='where the video is served, from the moment on')
    scores: list[Score] | None = None


class SearchReply(BaseModel):
    """Moments, best first, and what should be known of them."""

    hits: list[FoundHit]
    notes: list[str]


class LabelRequest(_Request):
    """A video and names."""

    video: str = Field(description='a path in the folders')
    classes: list[str] = Field(description='two names or more')
    top: int = Field(5, description='how many of them')
    over_time: bool = Field(False, description='add the classes of each window')


class Label(BaseModel):
    """A class and its probability."""

    name: str
    probability: float


class WindowLabels(BaseModel):
    """The classes that a window may be of, best first."""

    start: float
    end: float
    labels: list[Label]


class LabelReply(BaseModel):
    """The classes that a video may be of, best first."""

    labels: list[Label]
    windows: list[WindowLabels] | None = None


class IndexRequest(_Request):
    """A folder to be indexed."""

    folder: str | None = Field(None, description='the first of those opened, where none is named')


class IndexReply(BaseModel):
    """How far the indexing of a folder is; ``done`` of ``total`` videos are in the index."""

    folder: str
    state: Literal['waiting', 'running', 'done', 'stopped', 'failed']
    total: int
    done: int
    new: int
    broken: dict[str, str]
    error: str
    seconds: float


class Video(BaseModel):
    """What is known of a video."""

    path: str
    state: Literal['new', 'indexed', 'broken']
    seconds: float
    windows: int
    error: str


class VideosReply(BaseModel):
    """The videos below a folder."""

    folder: str
    videos: list[Video]


class HealthReply(BaseModel):
    """That the server is well, and what it has."""

    status: Literal['ok']
    version: str
    model: str
    compares: bool = Field(description="whether the modes 'time' and 'mean' are there")
    folders: list[str]
    working: bool
    waiting: int


class ErrorReply(BaseModel):
    """What was wrong, in one line."""

    error: str
