"""What the tabs share: events of the one queue, errors as a line, and the choice of a video."""
import functools
import os
from collections.abc import Callable
from typing import Any

import gradio as gr

from mmbt.datasets.video_files import VIDEO_SUFFIXES

from . import drawing
from .service import Service

MOST_VIDEOS = 1000  # that may be chosen


def model_event() -> dict[str, Any]:
    """How an event that needs the model is set up: one of all of them at a time."""
    return dict(concurrency_id='model', concurrency_limit=1, show_progress='minimal',
                api_visibility='private')


def safely(work: Callable) -> Callable:
    """The same function, which gives an error as HTML in the place of what it gives."""
    @functools.wraps(work)
    def told(*args: Any) -> Any:
        try:
            return work(*args)
        except Exception as error:
            return drawing.error_of(error)

    return told


def add_video_choice(service: Service, folder: gr.Dropdown, name: str
                     ) -> tuple[gr.Dropdown, gr.File]:
    """A choice of the folder's videos, and an upload in its place.

    Args:
        service: Whose folders they are of.
        folder: The folder that is chosen.
        name: Begins the ids of both.
    """
    def listed(key: str) -> list[tuple[str, str]]:
        videos = service.folders.videos(service.folders.of_key(key))
        return [(service.folders.name(path), service.folders.key(path))
                for path, _ in zip(videos, range(MOST_VIDEOS))]

    def choose(key: str) -> Any:
        return gr.Dropdown(choices=listed(key), value=None)

    with gr.Row():
        video = gr.Dropdown(listed(folder.value), value=None, label='Video', min_width=200,
                            elem_id=f'mm-{name}-video', scale=3)
        upload = gr.File(label=f'or upload one ({service.limits.upload_bytes >> 20} MB, '
                         f'{service.limits.seconds / 60:.0f} min at most)', scale=2, height=150,
                         file_types=list(VIDEO_SUFFIXES), type='filepath', min_width=200,
                         elem_id=f'mm-{name}-upload')
    folder.change(choose, folder, video, show_progress='hidden', api_visibility='private')
    return video, upload


def chosen_video(service: Service, key: str | None, upload: str | None) -> str:
    """The video that was chosen: the upload, where there is one.

    Raises:
        ValueError: If there is none, or it may not be used.
    """
    if upload is not None:
        path = os.path.realpath(upload)
        service.check_upload(path)
        return path
    if not key:
        raise ValueError('choose a video')
    return service.folders.of_key(key)
