"""The page: a folder that is indexed, and tabs to search, label, compare and talk."""
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from mmbt.files.shown import printable

from . import drawing
from .chat_tab import add_chat_tab
from .chats import Chats
from .controls import model_event, safely
from .label_tab import add_label_tab
from .service import Service

EVERY = 0.3  # seconds between two looks at how far indexing is
WATCHERS = 8  # pages that look at how far it is at a time
TITLE = 'mmbt: moments in videos'


def build_page(service: Service, chats: Chats | None = None) -> gr.Blocks:
    """The page as Gradio has it.

    Args:
        service: What it asks.
        chats: Conversations, where there is a dialogue model.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.HTML(_head(service, chats), elem_id='mm-head')
        folder = _add_folder(page, service)
        with gr.Tabs(elem_id='mm-tabs'):
            with gr.Tab('Search', id='search'):
                _add_search(service, folder)
            with gr.Tab('Label', id='label'):
                add_label_tab(service, folder)
            with gr.Tab('Compare', id='compare'):
                _add_compare(service, folder)
            if chats is not None:
                with gr.Tab('Chat', id='chat'):
                    add_chat_tab(chats, folder)
    page.queue(max_size=service.limits.waiting, default_concurrency_limit=1, api_open=False)
    return page


def theme() -> gr.themes.Base:
    """Gradio's plain theme with the fonts of the system: none is fetched."""
    return gr.themes.Default(
        primary_hue='blue', neutral_hue='slate',
        font=[gr.themes.Font('system-ui'), gr.themes.Font('sans-serif')],
        font_mono=[gr.themes.Font('ui-monospace'), gr.themes.Font('monospace')])


def _head(service: Service, chats: Chats | None) -> str:
    talks = '' if chats is None else f'<p>Chat: {drawing.text(chats.name)}</p>'
    return (f'<header class="mm-head"><h1>Moments in videos</h1>'
            f'<p>Model: {drawing.text(service.model_name)}</p>{talks}</header>')


def _add_folder(page: gr.Blocks, service: Service) -> gr.Dropdown:
    folders = service.folders
    choices = [(folders.name(path), folders.key(path)) for path in folders.to_choose()]
    with gr.Row():
        folder = gr.Dropdown(choices, value=folders.key(folders.roots[0]), label='Folder',
                             elem_id='mm-folder', scale=4, min_width=200)
        start = gr.Button('Index', elem_id='mm-index', elem_classes='mm-go', scale=0, min_width=110)
        stop = gr.Button('Stop', elem_id='mm-stop', elem_classes='mm-go', scale=0, min_width=110,
                         visible=False)
    state = gr.HTML(elem_id='mm-state')

    def watch(key: str) -> Iterator[tuple]:
        try:
            for progress in _looks(service, folders.of_key(key)):
                yield (drawing.progress(service, progress), gr.Button(visible=progress.at_work))
        except Exception as error:
            yield drawing.error_of(error), gr.Button(visible=False)

    def index(key: str) -> Iterator[tuple]:
        try:
            service.index(folders.of_key(key))
        except Exception as error:
            yield drawing.error_of(error), gr.skip()
            return
        yield from watch(key)

    looks: dict[str, Any] = dict(show_progress='hidden', concurrency_limit=WATCHERS,
                                 api_visibility='private', trigger_mode='always_last')
    page.load(watch, folder, [state, stop], **looks)
    folder.change(watch, folder, [state, stop], **looks)
    start.click(index, folder, [state, stop], **looks)
    stop.click(service.indexing.stop, queue=False, api_visibility='private')
    return folder


def _looks(service: Service, path: str) -> Iterator[Any]:
    """How far the indexing of a folder is, until it has ended."""
    while True:
        progress = service.progress(path)
        yield progress
        if not progress.at_work:
            return
        service.indexing.wait(EVERY)


def _add_search(service: Service, folder: gr.Dropdown) -> None:
    with gr.Row():
        text = gr.Textbox('', label='What the moment shows', placeholder='a man opens a door',
                          elem_id='mm-text', scale=5, min_width=200, max_lines=1,
                          max_length=service.limits.text)
        button = gr.Button('Search', variant='primary', elem_id='mm-search', elem_classes='mm-go',
                           scale=0, min_width=110)
    with gr.Accordion('More', open=False, elem_id='mm-more'), gr.Row():
        without = gr.Textbox('', label='Without', placeholder='what it does not show',
                             min_width=200, elem_id='mm-without', max_lines=1,
                             max_length=service.limits.text)
        top = gr.Slider(1, 20, value=6, step=1, label='Moments', elem_id='mm-top', min_width=160)
        ranked = [('all that is seen', 'plain'), ('what the branch adds over time', 'time')]
        mode = gr.Radio(ranked, value='plain', label='Ranked by', elem_id='mm-mode',
                        visible=service.compares, min_width=220)
    found = gr.HTML(elem_id='mm-found', min_height=40)

    def search(key: str, text: str, without: str, mode: str, top: int) -> str:
        answer = service.search([text], [without] if without.strip() else [], mode, int(top),
                                service.folders.of_key(key))
        return _notes(answer.notes) + drawing.hits(service, answer.moments)

    asked = [folder, text, without, mode, top]
    _on((button.click, text.submit, without.submit), search, asked, found)


def _add_compare(service: Service, folder: gr.Dropdown) -> None:
    if not service.compares:
        gr.HTML(drawing.note(f'{printable(service.model.name)} has no branch: its videos are the '
                             'mean of their frames, and there is nothing to compare it with.'),
                elem_id='mm-compared')
        return
    with gr.Row():
        text = gr.Textbox('', label='What the moment shows', placeholder='a ball rolls to the left',
                          elem_id='mm-both', scale=5, min_width=200, max_lines=1,
                          max_length=service.limits.text)
        button = gr.Button('Compare', variant='primary', elem_id='mm-compare', elem_classes='mm-go',
                           scale=0, min_width=110)
    found = gr.HTML(elem_id='mm-compared', min_height=40)

    def compare(key: str, text: str) -> str:
        both = service.compare(text, 5, service.folders.of_key(key))
        return _notes(both.notes) + drawing.compared(service, both.branch, both.mean, both.scores)

    _on((button.click, text.submit), compare, [folder, text], found)


def _notes(notes: list[str]) -> str:
    return ''.join(map(drawing.note, notes))


def _on(events: tuple[Callable, ...], work: Callable, inputs: list, output: gr.HTML) -> None:
    for event in events:
        event(safely(work), inputs, output, **model_event())
