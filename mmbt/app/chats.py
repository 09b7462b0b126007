"""Conversations about videos, of which a server keeps the latest few."""
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from mmbt.conversation.chat import VideoChat
from mmbt.conversation.models import VideoDialogue

from .service import Service

MOST = 16  # conversations that are kept


class Chats:
    """Conversations by one dialogue model.

    Args:
        model: From :func:`mmbt.apis.init_dialogue`.
        service: Whose folders, limits and queue hold here too.
        name: The model in words.
    """

    def __init__(self, model: VideoDialogue, service: Service, name: str = '') -> None:
        self.model, self.service, self.name = model, service, name
        self._open: OrderedDict[str, VideoChat] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, video: str) -> str:
        """Read a video; return the name of a conversation about it.

        Raises:
            VideoReadError: If it cannot be read.
            ValueError: If it lies outside the folders, or is too long.
            Busy: If many wait already.
        """
        path = self.service.folders.video(video)
        self.service.check_length(path)
        chat = self.service.jobs.run(lambda: VideoChat(self.model, path))
        name = secrets.token_urlsafe(12)
        with self._guard:
            self._open[name] = chat
            while len(self._open) > MOST:
                self._open.popitem(last=False)
        return name

    def frames(self, name: str) -> list[np.ndarray]:
        """The frames that a conversation's model sees, (H, W, 3) uint8 each."""
        return list(self._find(name).frames.permute(0, 2, 3, 1).numpy())

    def ask(self, name: str, question: str) -> Iterator[str]:
        """The answer to a question so far, each time that it has grown.

        Raises:
            ValueError: If the conversation has been closed, or the question is empty, too long or
                holds the video's place.
            Busy: If many wait already.
        """
        chat = self._find(name)
        if not question.strip():
            raise ValueError('type a question')
        if len(question) > self.service.limits.text:
            raise ValueError(f'a question of {len(question):,} characters is too long: the most is '
                             f'{self.service.limits.text:,}')
        with self.service.jobs:
            yield from chat.stream(question.strip())

    def _find(self, name: str) -> VideoChat:
        with self._guard:
            if name not in self._open:
                raise ValueError('this conversation has been closed: read the video again')
            self._open.move_to_end(name)
            return self._open[name]
