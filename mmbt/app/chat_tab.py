"""The tab that talks about a video."""
from collections.abc import Iterator
from typing import Any

import gradio as gr

from . import drawing
from .chats import Chats
from .controls import add_video_choice, chosen_video, model_event

Said = list[dict[str, Any]]


def add_chat_tab(chats: Chats, folder: gr.Dropdown) -> None:
    """A video, the frames of it that the model reads, and a conversation.

    Args:
        chats: The conversations.
        folder: The folder that is chosen.
    """
    video, upload = add_video_choice(chats.service, folder, 'chat')
    read = gr.Button('Read the video', elem_id='mm-read')
    frames = gr.HTML(elem_id='mm-read-frames', min_height=10)
    name = gr.State('')
    said = gr.Chatbot(label='Conversation', height=320, elem_id='mm-said', buttons=[],
                      render_markdown=False, placeholder='Read a video, then ask about it.',
                      feedback_options=None)
    with gr.Row():
        question = gr.Textbox('', label='Question', placeholder='What happens in the video?',
                              elem_id='mm-question', scale=5, min_width=200, max_lines=3,
                              max_length=chats.service.limits.text)
        ask = gr.Button('Ask', variant='primary', elem_id='mm-ask', elem_classes='mm-go',
                        scale=0, min_width=110)

    def begin(key: str | None, upload: str | None) -> tuple[str, str, Said]:
        try:
            opened = chats.begin(chosen_video(chats.service, key, upload))
        except Exception as error:
            return '', drawing.error_of(error), []
        return opened, drawing.frames(chats.frames(opened)), []

    def answer(opened: str, question: str, before: Said) -> Iterator[tuple[Said, str]]:
        asked = [*before, dict(role='user', content=question)]
        try:
            if not opened:
                raise ValueError('read a video first')
            yield [*asked, dict(role='assistant', content='...')], ''
            for text in chats.ask(opened, question):
                yield [*asked, dict(role='assistant', content=text)], ''
        except Exception as error:
            said = dict(role='assistant', content=f'error: {drawing.line_of(error)}')
            yield [*asked, said], question

    read.click(begin, [video, upload], [name, frames, said], **model_event())
    for event in (ask.click, question.submit):
        event(answer, [name, question, said], [said, question],
              **{**model_event(), 'show_progress': 'hidden'})
