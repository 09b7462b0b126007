"""What page and API let in: paths, passwords, pages elsewhere, sizes, and how many at a time."""
import asyncio
import base64
import json
import os
import threading
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from starlette.testclient import TestClient

from mmbt.app.folders import Folders
from mmbt.app.serving import build_app
from mmbt.app.turns import Busy, Jobs

from .app_world import CLASSES, TEXT, new_service, told, until, write_film

SECRET = 'outside/secret.mp4'


@pytest.mark.parametrize('url', [
    '/media/0/link.mp4', '/media/0/away/secret.mp4', f'/media/0/../{SECRET}',
    f'/media/0/%2e%2e/{SECRET}', '/media/0/..%2foutside%2fsecret.mp4',
    '/media/0/%252e%252e/outside/secret.mp4', '/media/0//etc/passwd', '/media/0/%2fetc%2fpasswd',
    '/media/1/grey.mp4', '/media/-1/grey.mp4', '/media/x', '/media/0/grey.mp4%00.txt',
    '/preview/0/link.mp4', '/frame/0/away/secret.mp4', '/media/0/films/../../outside/secret.mp4',
    '/media/0/films', '/media/0/..%5coutside%5csecret.mp4', '/gradio_api/file=/etc/passwd'])
def test_nothing_outside_the_folders_is_served(service, client, world, url):
    for path in (url, url.replace('/0/', f'/0/{world}/', 1)):
        # As it stands: a client would take the dots out.
        got = ask_raw(client.app, path)
        assert got.status in (400, 404), (path, got)
        assert b'ftyp' not in got.body and b'root:' not in got.body


def ask_raw(app, path):
    """What an ASGI application answers to a path that is sent byte by byte."""
    sent, asked = [], []

    async def receive():
        if asked:
            await asyncio.Event().wait()  # the client stays and says nothing more
        asked.append(1)
        return dict(type='http.request', body=b'', more_body=False)

    async def send(message):
        sent.append(message)

    scope = dict(type='http', asgi=dict(version='3.0', spec_version='2.4'), http_version='1.1',
                 method='GET', scheme='http', path=unquote(path), raw_path=path.encode(),
                 query_string=b'', root_path='', headers=[(b'host', b'127.0.0.1:7860')],
                 client=('127.0.0.1', 1), server=('127.0.0.1', 7860))
    asyncio.run(app(scope, receive, send))
    return SimpleNamespace(status=sent[0]['status'],
                           body=b''.join(each.get('body', b'') for each in sent[1:]))


@pytest.mark.parametrize('asked', ['../outside/secret.mp4', 'link.mp4', '/etc/passwd', 'away',
                                   'films/../../outside', '\x00'])
def test_no_path_outside_the_folders_is_taken(client, world, asked):
    for path in (asked, str(world / 'videos' / asked)):
        told(client.post('/api/label', json=dict(video=path, classes=CLASSES)), 400)
        told(client.post('/api/search', json=dict(text=TEXT, folder=path)), 400)
        told(client.get('/api/videos', params=dict(folder=path)), 400)
        told(client.post('/api/index', json=dict(folder=path)), 400)


def test_a_long_video_is_read_by_the_index_alone(world, model):
    service = new_service(world, model, seconds=10)
    service.indexes = world / 'other'
    with pytest.raises(ValueError, match='grey.mp4 lasts 0 minutes: the most is 0, unless it'):
        service.label('grey.mp4', CLASSES)
    with pytest.raises(ValueError, match='nothing of videos is in the index yet'):
        service.search([TEXT])


def test_names_that_are_no_utf_8_are_told_and_played(world, model, tmp_path):
    name = os.fsdecode(b'caf\xe9 #1?.mp4')
    write_film(tmp_path / 'videos/film.mp4', ('red', 'blue'), 4)
    os.rename(tmp_path / 'videos/film.mp4', tmp_path / 'videos' / name)
    service = new_service(tmp_path, model)
    service.index()
    service.indexing.wait(60)
    app = build_app(service, page=False)
    with TestClient(app, base_url='http://localhost') as client:
        hit, = client.post('/api/search', json=dict(text=TEXT)).json()['hits']
    assert hit['path'] == str(tmp_path / 'videos' / name)
    assert b'ftyp' in ask_raw(app, hit['url'].split('#')[0]).body[:12]


@pytest.mark.parametrize('headers, status', [
    ({}, 401), (dict(authorization='Bearer wrong'), 401), (dict(authorization='Basic !'), 401),
    (dict(authorization='Digest open'), 401), (dict(authorization='Bearer open sesame'), 200),
    (dict(authorization='Basic ' + base64.b64encode(b'any:open sesame').decode()), 200)])
def test_a_password_is_asked_for_everything(service, headers, status, monkeypatch):
    monkeypatch.setattr('mmbt.app.guard.WRONG', 0)
    app = build_app(service, page=False, password='open sesame')
    client = TestClient(app, base_url='http://127.0.0.1')
    for path in ('/api/health', '/media/0/grey.mp4', '/api/openapi.json'):
        answer = client.get(path, headers=headers)
        assert answer.status_code == status
        assert status == 200 or 'Basic' in answer.headers['www-authenticate']


@pytest.mark.parametrize('headers, status', [
    (dict(host='evil.example'), 421), (dict(host='evil.example:7860'), 421),
    (dict(origin='http://evil.example'), 403), (dict(origin='null'), 403),
    ({'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors'}, 403),
    (dict(host='localhost:7860', origin='http://localhost:7860'), 200)])
def test_pages_elsewhere_ask_nothing(client, headers, status):
    assert client.get('/api/health', headers=headers).status_code == status


def test_one_job_at_a_time_in_order_and_no_more_than_may_wait():
    jobs, gate, done = Jobs(2), threading.Event(), []
    threads = [threading.Thread(target=jobs.run, args=(lambda: gate.wait(10), ))]
    threads[0].start()
    until(lambda: jobs.taken)
    for number in range(2):
        threads.append(threading.Thread(target=jobs.run, args=(lambda n=number: done.append(n), )))
        threads[-1].start()
        until(lambda n=number: jobs.waiting == n + 1)
    with pytest.raises(Busy, match='2 others are waiting already: try again later'):
        jobs.run(lambda: None)
    gate.set()
    for thread in threads:
        thread.join(10)
    assert done == [0, 1] and not jobs.taken and jobs.run(lambda: 7) == 7


def test_folders_that_hold_no_video(tmp_path):
    with pytest.raises(FileNotFoundError, match='no is no folder'):
        Folders([tmp_path / 'no'])
    with pytest.raises(ValueError, match='no videos in '):
        Folders([tmp_path])


@pytest.mark.slow
@pytest.mark.parametrize('path, statuses', [
    ('/gradio_api/file=/etc/passwd', (403, )), ('/gradio_api/file=../weights.pth', (403, 404)),
    ('/gradio_api/file={world}/videos/grey.mp4', (403, )),
    ('/gradio_api/file={world}/outside/secret.mp4', (403, )),
    ('/gradio_api/proxy=http://127.0.0.1/', (400, 403, 404, 500)),
    ('/gradio_api/upload', (401, 404, 405)), ('/monitoring', (401, 403, 404)),
    ('/..%2f..%2fetc%2fpasswd', (404, ))])
def test_gradio_s_own_routes_serve_no_file(served, path, statuses):
    url = urlsplit(served.url)
    asked = HTTPConnection(url.hostname, url.port, timeout=10)
    asked.request('GET', path.format(world=served.world))
    answer = asked.getresponse()
    body = answer.read()
    assert answer.status in statuses and b'ftyp' not in body and b'root:' not in body, body[:200]


@pytest.mark.slow
def test_an_upload_is_bounded_by_the_server_too(served):
    def send(size):
        url = urlsplit(served.url)
        asked = HTTPConnection(url.hostname, url.port, timeout=10)
        body = (b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n'
                b'Content-Type: video/mp4\r\n\r\n' + bytes(size) + b'\r\n--b--\r\n')
        asked.request('POST', '/gradio_api/upload', body,
                      {'content-type': 'multipart/form-data; boundary=b'})
        answer = asked.getresponse()
        return answer.status, answer.read()

    status, body = send(1000)
    path, = json.loads(body)
    assert status == 200 and Path(path).is_relative_to(served.world / 'cache/uploads')
    assert send(int(1.5 * 2**20))[0] == 413 and send(3 * 2**20)[0] == 413
    with pytest.raises(ValueError, match='a.mp4 cannot be opened'):
        served.service.check_upload(path)
    os.truncate(path, 9 * 2**20)
    with pytest.raises(ValueError, match='9 MB are too many: the most is 1 MB'):
        served.service.check_upload(path)
    assert send(1000)[0] == 507  # the room of eight is full
    os.remove(path)
