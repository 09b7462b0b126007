"""The JSON API: its answers, its bounds, and that nothing outside the folders is served."""
import asyncio
import base64
import json
import os
import re
import subprocess
import threading
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from starlette.testclient import TestClient

from mmbt.app.folders import Folders
from mmbt.app.serving import build_app
from mmbt.app.shared_encoder import SharedEncoder
from mmbt.app.turns import Busy, Jobs
from mmbt.search.query import Query

from .app_world import CLASSES, OTHER, TEXT, new_service, until, write_film

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def service(world, model):
    service = new_service(world, model)
    service.index()
    service.indexing.wait(60)
    return service


@pytest.fixture(scope='module')
def client(service):
    return TestClient(build_app(service, page=False), base_url='http://127.0.0.1:7860')


def told(answer, status):
    """The one line of an error."""
    assert answer.status_code == status, answer.text
    line = answer.json()['error']
    assert set(answer.json()) == {'error'} and '\n' not in line
    return line


def test_hits_are_those_of_a_search(client, plain, world):
    wanted = plain.search(Query((TEXT, ), without=(OTHER, )), 3)
    got = client.post('/api/search', json=dict(text=TEXT, without=OTHER, top=3)).json()
    assert got['notes'] == [] and len(got['hits']) == 3
    for hit, each in zip(wanted, got['hits']):
        assert (hit.path, hit.start, hit.end) == (each['path'], each['start'], each['end'])
        assert each['score'] == pytest.approx(hit.score, abs=2e-3)  # the index keeps float16
    assert got['hits'][0]['scores'] is None if 'scores' in got['hits'][0] else True
    alone = client.post('/api/search', json=dict(
        text=[TEXT], top=1, folder='films', scores=True)).json()['hits'][0]
    assert Path(alone['path']).parent == world / 'videos/films'
    scores = plain.index.scores(alone['path'], plain.vector(Query((TEXT, ))))
    assert [each['score'] for each in alone['scores']] == pytest.approx(
        [each.score for each in scores], abs=2e-3)
    assert alone['url'].startswith('/media/0/films/')
    part = client.get(alone['url'].split('#')[0], headers=dict(range='bytes=0-99'))
    assert part.status_code == 206 and part.content == Path(alone['path']).read_bytes()[:100]


@pytest.mark.parametrize('mode, column', [('mean', 'baseline'), ('time', 'time')])
def test_other_modes_rank_by_their_column(client, plain, mode, column):
    vector = plain.vector(Query((TEXT, )))
    best = plain.index.search(vector, 1, column=column)[0]
    got = client.post('/api/search', json=dict(text=TEXT, mode=mode, top=1)).json()['hits'][0]
    assert got['path'] == best.path and got['start'] <= best.start < best.end <= got['end']
    assert got['score'] == pytest.approx(best.score, abs=2e-3)


def test_labels_are_those_of_a_search(client, plain, world):
    path = str(world / 'videos/films/green.mp4')
    got = client.post('/api/label', json=dict(video='films/green.mp4', classes=CLASSES,
                                              over_time=True)).json()
    assert [each['name'] for each in got['labels']] == [
        name for name, _ in plain.label(path, CLASSES)]
    assert [each['probability'] for each in got['labels']] == pytest.approx(
        [share for _, share in plain.label(path, CLASSES)], abs=5e-3)
    windows = plain.label(path, CLASSES, over_time=True)
    assert [(each['start'], each['end']) for each in got['windows']] == [
        (each.start, each.end) for each in windows]


def test_videos_index_and_health(client, service, world):
    states = {Path(each['path']).name: each['state'] for each in
              client.get('/api/videos').json()['videos']}
    assert states == {'green.mp4': 'indexed', 'blue & red.mp4': 'indexed', 'grey.mp4': 'indexed',
                      'old.avi': 'indexed', 'broken.mp4': 'broken'}
    index = client.get('/api/index').json()
    assert (index['state'], index['done'], index['total']) == ('done', 5, 5)
    assert list(index['broken']) == [str(world / 'videos/broken.mp4')]
    new = world / 'videos/new.mp4'
    write_film(new, ('red', 'grey'), 4)
    assert [each['state'] for each in client.get('/api/videos').json()['videos']].count('new') == 1
    began = client.post('/api/index', json={})
    assert began.status_code == 202 and began.json()['folder'] == str(world / 'videos')
    until(lambda: client.get('/api/index').json()['state'] == 'done')
    index = client.get('/api/index').json()
    assert (index['new'], index['done'], index['total']) == (1, 6, 6)
    new.unlink()
    service.search_of(str(world / 'videos')).index.drop([str(new)])
    health = client.get('/api/health').json()
    assert health['status'] == 'ok' and health['folders'] == [str(world / 'videos')]
    assert health['model'] == 'config.py (a branch)' and health['compares'] is True


def test_indexing_stops_and_another_folder_waits(client, service, world, monkeypatch):
    gate, reached = threading.Event(), threading.Event()
    encode = SharedEncoder.videos_and_means

    def slow(encoder, clips):
        reached.set()
        assert gate.wait(20)
        return encode(encoder, clips)

    monkeypatch.setattr(SharedEncoder, 'videos_and_means', slow)
    write_film(world / 'videos/more/0.mp4', ('red', 'grey'))
    try:
        client.post('/api/index', json=dict(folder='more'))
        assert reached.wait(20)
        line = told(client.post('/api/index', json={}), 400)
        assert 'is being indexed: wait for it or stop it' in line
        assert client.post('/api/search', json=dict(text=TEXT)).status_code == 200  # meanwhile
        threading.Timer(0.2, gate.set).start()
        stopped = client.delete('/api/index', params=dict(folder='more')).json()
        assert stopped['state'] == 'stopped' and (stopped['done'], stopped['total']) == (0, 1)
    finally:
        gate.set()
        service.indexing.wait(20)
        (world / 'videos/more/0.mp4').unlink()
        (world / 'videos/more').rmdir()


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


@pytest.mark.parametrize('route, asked, status, line', [
    ('search', dict(text=' '), 400, 'the text is empty'),
    ('search', dict(text='x' * 1001), 400, 'a text of 1,001 characters is too long'),
    ('search', dict(text=['a'] * 1001), 400, '1001 texts are too many'),
    ('search', dict(text=TEXT, top=0), 400, 'top must be 1 to 100, got 0'),
    ('search', dict(text=TEXT, top=101), 400, 'top must be 1 to 100'),
    ('search', dict(text=TEXT, without=TEXT), 400, 'nothing is left of the query'),
    ('search', dict(text=TEXT, mode='no'), 422, 'mode: Input should be'),
    ('search', dict(text=TEXT, tpo=3), 422, 'tpo: Extra inputs are not permitted'),
    ('search', {}, 422, 'text: Field required'),
    ('search', dict(text=TEXT, folder='no'), 404, 'no is missing'),
    ('search', dict(text=TEXT, folder='grey.mp4'), 400, 'grey.mp4 is no folder'),
    ('label', dict(video='grey.mp4', classes=['a']), 400, 'at least two'),
    ('label', dict(video='grey.mp4', classes=['a', 'a']), 400, 'named twice'),
    ('label', dict(video='grey.mp4', classes=['a', ' ']), 400, 'is empty'),
    ('label', dict(video='films', classes=CLASSES), 400, 'films is no video'),
    ('label', dict(video='broken.mp4', classes=CLASSES), 400, 'cannot be opened'),
    ('nope', {}, 404, 'there is no POST /api/nope'),
    ('health', {}, 404, 'there is no POST /api/health')])
def test_bad_input_is_one_line_of_json(client, route, asked, status, line):
    assert line in told(client.post(f'/api/{route}', json=asked), status)


def test_a_body_that_is_no_json_or_too_large(client):
    json_type = {'content-type': 'application/json'}
    told(client.post('/api/search', content=b'{', headers=json_type), 422)
    large = json.dumps(dict(text='x' * 2**21)).encode()
    assert 'the most that may be sent' in told(
        client.post('/api/search', content=large, headers=json_type), 413)


def test_a_long_video_is_read_by_the_index_alone(world, model):
    service = new_service(world, model, seconds=10)
    service.indexes = world / 'other'
    with pytest.raises(ValueError, match='grey.mp4 lasts 0 minutes: the most is 0, unless it'):
        service.label('grey.mp4', CLASSES)
    with pytest.raises(ValueError, match='nothing of videos is in the index yet'):
        service.search([TEXT])


def test_a_text_that_is_cut_off_is_noted(client):
    got = client.post('/api/search', json=dict(text='a dog ' * 20, top=1)).json()
    assert 'is too long: the model reads its first' in got['notes'][0]


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


def test_the_schema_names_every_route(client):
    schema = client.get('/api/openapi.json').json()
    assert {path for path in schema['paths'] if path.startswith('/api/')} == {
        '/api/health', '/api/search', '/api/label', '/api/videos', '/api/index'}
    page = (ROOT / 'docs/recipes/app.md').read_text()
    for path, methods in schema['paths'].items():
        if path.startswith('/api/'):
            assert all(f'`{method.upper()} {path}`' in page for method in methods)
    assert client.get('/docs').status_code == client.get('/redoc').status_code == 404


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


@pytest.mark.slow
def test_the_examples_of_curl_run(served):
    page = (ROOT / 'docs/recipes/app.md').read_text()
    blocks = re.findall(r'```shell\n(curl .*?)```', page, re.S)
    assert len(blocks) >= 4
    for block in blocks:
        said = subprocess.run(['bash', '-ec', block.replace('http://127.0.0.1:7860', served.url)],
                              capture_output=True, text=True, check=True, timeout=60)
        assert 'error' not in json.loads(said.stdout) or json.loads(said.stdout)['error'] == ''
