"""What ``mmbt app`` and ``mmbt serve`` begin with, and their errors of one line."""
import importlib.util
import socket
from pathlib import Path

import pytest

from mmbt.app import serving, start
from mmbt.lab.demo import run as demo
from mmbt.search.places import place_for

from ..support.tools import run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a video by its name, and no model that could be loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    monkeypatch.delenv(start.PASSWORD, raising=False)
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos/a.mp4').write_bytes(b'x')
    (tmp_path / 'empty').mkdir()
    return tmp_path


def put_demo():
    """What `make demo` leaves."""
    start.DEMO_MODEL.parent.mkdir(parents=True)
    start.DEMO_MODEL.touch()
    start.DEMO_VIDEOS.mkdir(parents=True)


def test_the_demo_is_where_it_is_made():
    assert (start.DEMO, start.DEMO_MODEL) == (demo.OUT, demo.BRANCH)
    assert start.DEMO_VIDEOS == demo.OUT / 'world/videos'


def test_which_model_and_folders_are_meant(folder):
    assert start.choose(None, [], False) == (start.CLIP, ['.'])
    assert start.choose('b.pth', ['videos'], False) == ('b.pth', ['videos'])
    with pytest.raises(FileNotFoundError, match='run `make demo` here'):
        start.choose(None, ['videos'], True)
    put_demo()
    known = (str(start.DEMO_MODEL), [str(start.DEMO_VIDEOS)])
    assert start.choose(None, [], False) == start.choose(None, [], True) == known
    assert start.choose(None, ['videos'], True) == (known[0], ['videos'])
    assert start.choose(None, ['videos'], False) == (start.CLIP, ['videos'])
    assert start.choose('b.pth', [], False) == ('b.pth', ['.'])
    with pytest.raises(ValueError, match='leave --model out'):
        start.choose('b.pth', [], True)


def test_a_clip_that_cannot_be_fetched_tells_of_others(folder, monkeypatch):
    def load(name, device):
        raise FileNotFoundError('the weights are not here.')

    monkeypatch.setattr(start.mmbt, 'load', load)
    with pytest.raises(FileNotFoundError, match='not here; without a download: `make demo`, then'):
        start.load_model(start.CLIP, 'cpu')
    put_demo()
    with pytest.raises(FileNotFoundError, match='not here; without a download: --demo, or'):
        start.load_model(start.CLIP, 'cpu')
    with pytest.raises(FileNotFoundError, match='^the weights are not here.$'):
        start.load_model('other', 'cpu')


def test_a_password_of_a_file_or_the_environment(folder, monkeypatch):
    assert start.read_password(None) is None
    monkeypatch.setenv(start.PASSWORD, 'of the environment')
    assert start.read_password(None) == 'of the environment'
    Path('secret').write_text(' open sesame \nnot this\n')
    assert start.read_password('secret') == 'open sesame'
    Path('secret').write_text('\nnot this\n')
    with pytest.raises(ValueError, match='a password has 1 to 1000 characters, got 0'):
        start.read_password('secret')


def test_an_index_has_a_place_for_each_folder_and_model():
    places = [place_for(folder, made_by) for folder in ('/a/films', '/b/films')
              for made_by in (dict(model='x', model_card={}), dict(model='y'))]
    assert len(set(places)) == 4 and all(place.name.startswith('films-') for place in places)
    assert place_for('/a/films', dict(model='x', model_card=dict(other=1))) == places[0]
    assert place_for('/a/films', dict(model='x'), 'here') == Path('here', places[0].name)


@pytest.mark.parametrize('command', ['app', 'serve'])
@pytest.mark.parametrize('words, line', [
    (['no'], 'no is no folder: name one that holds videos'),
    (['empty'], 'no videos in '),
    (['videos', '--port', '70000'], '--port must be 0 to 65535, got 70000'),
    (['videos', '--host', '192.0.2.1'], 'cannot listen to port 7860 of 192.0.2.1'),
    (['videos', '--password-file', 'no'], 'no: No such file or directory'),
    (['videos', '--upload-mb', '0'], '--upload-mb must be at least 1'),
    (['videos', '--model', 'clap'], "'clap' names no model"),
    (['--demo'], 'run `make demo` here')])
def test_bad_input_is_one_line(folder, monkeypatch, command, words, line):
    if '--model' in words:
        words = [*words, '--port', '0']
    end = run(monkeypatch, command, *words, '--device', 'cpu')
    assert end.startswith('error: ') and line in end and '\n' not in end


def test_a_port_in_use_is_one_line_before_a_model_is_loaded(folder, monkeypatch):
    monkeypatch.setattr(start, 'load_model', lambda *_: pytest.fail('loaded'))
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        end = run(monkeypatch, 'app', 'videos', '--device', 'cpu', '--port', port)
    assert f'port {port} of 127.0.0.1 is in use: name another with --port' in end


def test_a_page_without_gradio_says_what_to_install(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert "mmbt app needs gradio: pip install 'mmbt[app]'" in run(
        monkeypatch, 'app', 'videos', '--device', 'cpu')


@pytest.mark.parametrize('host, alone', [
    ('127.0.0.1', True), ('127.8.0.1', True), ('localhost', True), ('::1', True),
    ('0.0.0.0', False), ('192.168.1.5', False)])
def test_which_addresses_are_of_this_machine(host, alone):
    assert serving.is_loopback(host) == alone


def test_a_command_serves_until_it_is_told_to_end(world, model, monkeypatch, capsys):
    """The whole of `mmbt serve`, but for the waiting."""
    asked = []

    def serve(app, bound, ready):
        from starlette.testclient import TestClient
        with TestClient(app, base_url='http://127.0.0.1') as client:
            asked.append(client.get('/api/health', headers=dict(authorization='Bearer x')).json())
        ready('http://127.0.0.1:1')
        bound.close()

    monkeypatch.setattr(serving, 'serve', serve)
    monkeypatch.setenv(start.PASSWORD, 'x')
    monkeypatch.setattr(start.mmbt, 'load', lambda name, device: model)
    assert run(monkeypatch, 'serve', world / 'videos', '--model', 'tiny', '--device', 'cpu',
               '--port', 0, '--index', world / 'of serve') is None
    assert asked[0]['folders'] == [str(world / 'videos')]
    assert capsys.readouterr().out == 'config.py (a branch)\nhttp://127.0.0.1:1/api/health\n'
    assert len(list((world / 'of serve').iterdir())) == 1
