"""The tab that labels a video with names that are typed in."""
import re

import gradio as gr

from . import drawing
from .controls import add_video_choice, chosen_video, model_event, safely
from .service import Service

SHOWN = 6  # classes


def add_label_tab(service: Service, folder: gr.Dropdown) -> None:
    """A video, names, and which of them it is of, as a whole and over time.

    Args:
        service: What it asks.
        folder: The folder that is chosen.
    """
    video, upload = add_video_choice(service, folder, 'label')
    with gr.Row():
        names = gr.Textbox('', label='Names, one a line or with commas between', lines=3,
                           max_lines=10, placeholder='cooking\nsport\nmusic', scale=5,
                           elem_id='mm-names', min_width=200, max_length=100_000)
        button = gr.Button('Label', variant='primary', elem_id='mm-label', elem_classes='mm-go',
                           scale=0, min_width=110)
    found = gr.HTML(elem_id='mm-labelled', min_height=40)

    def label(key: str | None, upload: str | None, names: str) -> str:
        path = chosen_video(service, key, upload)
        whole, windows = service.label(path, names_of(names), SHOWN)
        return drawing.labels(service, path, whole, windows)

    button.click(safely(label), [video, upload, names], found, **model_event())


def names_of(text: str) -> list[str]:
    """The names that were typed: lines, or what commas part where there is one line."""
    text = text.strip()
    parts = re.split(r'\n' if '\n' in text else ',', text)
    return [part.strip() for part in parts if part.strip()]
