"""A tiny model, a folder of films with known parts, and a server of both in a thread."""
import os
import threading
import time
from fractions import Fraction

import av
import numpy as np

import mmbt
from mmbt.app.chats import Chats
from mmbt.app.folders import Folders
from mmbt.app.limits import Limits
from mmbt.app.service import Service
from mmbt.app.serving import Announcing, build_app, listen

from ..conversation.converse_world import CONFIG as DIALOGUE
from ..conversation.models.folders import clip_folder, llava_v1_folder
from ..datasets.conftest import write_video
from ..search.search_world import CONFIG, save_weights

SECONDS, RATE = 24, 4
COLORS = dict(red=(200, 30, 30), green=(30, 180, 60), blue=(40, 60, 200), grey=(128, 128, 128))
FILMS = {'films/green.mp4': ('grey', 'grey', 'green', 'grey'),
         'films/blue & red.mp4': ('blue', 'blue', 'red', 'red'),
         'grey.mp4': ('grey', 'red', 'grey', 'blue')}
TEXT, OTHER = 'a man opens a door', 'rain on a window'
CLASSES = ['a dog runs', 'a door opens', 'rain <b>']


def write_film(path, parts, seconds=SECONDS):
    """Write H.264 of 96 x 64: parts of equal length, of a colour each, with a moving bar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=RATE, options=dict(preset='ultrafast'))
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        count = seconds * RATE
        for number in range(count):
            picture = np.empty((64, 96, 3), np.uint8)
            picture[:] = COLORS[parts[number * len(parts) // count]]
            picture[:, number * 7 % 90:][:, :6] = 250
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_world(folder):
    """Write ``videos/``, a secret beside it that links in it lead to, and two models."""
    for name, parts in FILMS.items():
        write_film(folder / 'videos' / name, parts)
    write_video(folder / 'videos/old.avi', 12, (64, 48), 'MJPG')
    (folder / 'videos/broken.mp4').write_text('not a video\n' * 50)
    write_film(folder / 'outside/secret.mp4', ('red', 'blue'), 4)
    (folder / 'videos/link.mp4').symlink_to(folder / 'outside/secret.mp4')
    (folder / 'videos/away').symlink_to(folder / 'outside')
    (folder / 'config.py').write_text(CONFIG)
    save_weights(folder / 'weights.pth')
    clip_folder(folder / 'clip')
    llava_v1_folder(folder / 'llava')
    (folder / 'chat.py').write_text(DIALOGUE)


def load_model(folder):
    """The world's model of video and text."""
    return mmbt.load(str(folder / 'config.py'), weights=str(folder / 'weights.pth'))


def load_chat(folder):
    """The world's dialogue model, whose paths begin in its folder."""
    from mmbt.apis import init_dialogue
    here = os.getcwd()
    try:
        os.chdir(folder)
        return init_dialogue('chat.py')
    finally:
        os.chdir(here)


def new_service(folder, model, **limits):
    """A service of the world's videos."""
    return Service(model, Folders([folder / 'videos']), folder / 'indexes', folder / 'cache',
                   Limits(**limits))


class Served:
    """A server in a thread.

    Attributes:
        url: Its address.
    """

    def __init__(self, service, dialogue=None, **settings):
        import uvicorn
        chats = None if dialogue is None else Chats(dialogue, service, 'tiny LLaVA')
        app = build_app(service, chats, **settings)
        self.service, self.bound = service, listen('127.0.0.1', 0)
        self.url = f'http://127.0.0.1:{self.bound.getsockname()[1]}'
        ready = threading.Event()
        self.server = Announcing(uvicorn.Config(app, log_level='warning', ws='none'), ready.set)
        self.thread = threading.Thread(target=self.server.run, args=([self.bound], ), daemon=True)
        self.thread.start()
        assert ready.wait(60)

    def stop(self):
        """End it."""
        self.server.should_exit = True
        self.thread.join(10)
        self.bound.close()


def until(done, seconds=20):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, 'it took too long'
        time.sleep(0.05)


def told(answer, status):
    """The one line of an error."""
    assert answer.status_code == status, answer.text
    line = answer.json()['error']
    assert set(answer.json()) == {'error'} and '\n' not in line
    return line
