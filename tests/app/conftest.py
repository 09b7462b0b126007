"""A world, its models and a server, made once for the tests of the page."""
import importlib.util
import os
from types import SimpleNamespace

import pytest

from mmbt.apis import VideoSearch

if importlib.util.find_spec('gradio') is None:  # of the extra mmbt[app], which brings the rest
    collect_ignore_glob = ['test_*.py']
else:
    from starlette.testclient import TestClient

    from mmbt.app.serving import build_app

    from .app_world import Served, load_chat, load_model, new_service, write_world


@pytest.fixture(scope='session')
def world(tmp_path_factory):
    """The folder of the world."""
    folder = tmp_path_factory.mktemp('app')
    write_world(folder)
    return folder


@pytest.fixture(scope='session')
def model(world):
    """The world's model of video and text."""
    return load_model(world)


@pytest.fixture(scope='session')
def plain(world, model):
    """A search of its own by the same model, with the world's videos: what the page has to show."""
    search = VideoSearch.from_config(str(world / 'config.py'), str(world / 'weights.pth'))
    search.add(map(str, sorted(path for path in (world / 'videos').rglob('*')
                               if path.suffix in ('.mp4', '.avi') and not path.is_symlink())))
    return search


@pytest.fixture(scope='session')
def served(world, model):
    """The page and the API on a port of this machine, with the videos in the index."""
    saved = dict(os.environ)
    dialogue = load_chat(world)
    service = new_service(world, model, upload_bytes=2**20, seconds=60)
    service.index()
    service.indexing.wait(60)
    server = Served(service, dialogue, cache=world / 'cache')
    yield SimpleNamespace(url=server.url, service=service, dialogue=dialogue, world=world)
    server.stop()
    for name in set(os.environ) - set(saved):
        del os.environ[name]


@pytest.fixture(scope='session')
def service(world, model):
    """What the API asks, with the videos in its index."""
    service = new_service(world, model)
    service.index()
    service.indexing.wait(60)
    return service


@pytest.fixture(scope='session')
def client(service):
    """The API alone."""
    return TestClient(build_app(service, page=False), base_url='http://127.0.0.1:7860')
