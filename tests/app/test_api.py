"""The JSON API: its answers, and its errors of one line."""
import json
import re
import subprocess
import threading
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import mmbt
from mmbt.apis import init_model
from mmbt.app.page import build_page
from mmbt.app.shared_encoder import SharedEncoder
from mmbt.search.query import Query

from .app_world import CLASSES, OTHER, TEXT, new_service, told, until, write_film

ROOT = Path(__file__).parents[2]


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


def test_a_frame_mean_has_nothing_to_compare(world, tmp_path):
    config = Config.fromfile(world / 'config.py')
    config.model.backbone = dict(type='FrameMean')
    config.dump(tmp_path / 'mean.py')
    torch.save(init_model(config).state_dict(), tmp_path / 'mean.pth')
    service = new_service(world, mmbt.load(str(tmp_path / 'mean.py'),
                                           weights=str(tmp_path / 'mean.pth')))
    service.index('films')
    service.indexing.wait(60)
    assert service.model_name == 'mean.py (the mean of frames)' and not service.compares
    assert len(service.search([TEXT], folder='films').moments) > 1
    for mode in ('time', 'mean'):
        with pytest.raises(ValueError, match=f'mode {mode!r} needs a model with a branch'):
            service.search([TEXT], mode=mode, folder='films')
    page = json.dumps(build_page(service).get_config_file())
    assert 'there is nothing to compare it with' in page and 'mm-both' not in page


def test_a_text_that_is_cut_off_is_noted(client):
    got = client.post('/api/search', json=dict(text='a dog ' * 20, top=1)).json()
    assert 'is too long: the model reads its first' in got['notes'][0]


def test_the_schema_names_every_route(client):
    schema = client.get('/api/openapi.json').json()
    assert {path for path in schema['paths'] if path.startswith('/api/')} == {
        '/api/health', '/api/search', '/api/label', '/api/videos', '/api/index'}
    page = (ROOT / 'docs/recipes/app.md').read_text()
    for path, methods in schema['paths'].items():
        if path.startswith('/api/'):
            assert all(f'`{method.upper()} {path}`' in page for method in methods)
    assert client.get('/docs').status_code == client.get('/redoc').status_code == 404


@pytest.mark.slow
def test_the_examples_of_curl_run(served):
    page = (ROOT / 'docs/recipes/app.md').read_text()
    blocks = re.findall(r'```shell\n(curl .*?)```', page, re.S)
    assert len(blocks) >= 4
    for block in blocks:
        said = subprocess.run(['bash', '-ec', block.replace('http://127.0.0.1:7860', served.url)],
                              capture_output=True, text=True, check=True, timeout=60)
        assert 'error' not in json.loads(said.stdout) or json.loads(said.stdout)['error'] == ''
