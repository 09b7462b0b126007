"""VideoSearch: what it finds and names, against slow loops and the model itself."""
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose

from mmbt.apis import VideoSearch, init_model
from mmbt.datasets import VideoReadError
from mmbt.models.checkpoints import branch_file as branch_files
from mmbt.models.tokenizer import tokenize

from ..datasets.conftest import write_broken
from .search_world import TEXT, count_encoded, filled, new_search, write_clip

CLASSES = ['a dog runs', 'a door opens', 'rain', 'two people talk', 'a car', 'cooking']


def slowly(videos):
    """The model and each video's normalised embedding, by the config's whole pipeline."""
    config = Config.fromfile('config.py')
    model = init_model(config, 'weights.pth')
    config.test_dataloader.dataset.pipeline[0].by = 'time'  # as a search does unless it is told
    read = Compose(config.test_dataloader.dataset.pipeline)
    rows = {}
    for video in videos:
        imgs = read(dict(filename=video, captions=['any']))['inputs']['imgs']
        assert imgs.dtype == torch.uint8 and imgs.shape == (4, 3, 12, 12)
        frames = model.data_preprocessor(dict(inputs=dict(imgs=[imgs])))['inputs']['imgs']
        with torch.no_grad():
            row = model.encode_video(frames)[0]
        rows[video] = row / row.norm()
    return model, rows


def test_embeddings_are_the_model_s(videos):
    search = filled(videos)
    assert search.paths == videos and len(search) == 5
    assert search.embeddings.dtype == np.float32 and search.embeddings.shape == (5, 12)
    _, rows = slowly(videos)
    np.testing.assert_allclose(search.embeddings, torch.stack(list(rows.values())), atol=1e-5)
    assert np.abs(search.embeddings[0] - search.embeddings[1]).max() > 0.01


@pytest.mark.parametrize('backbone, checkpoint, lines', [
    ('BTAdapter', None, ['the BTAdapter is untrained, so that what the model says of videos means '
                         'nothing; give it a checkpoint']),
    ('BTAdapter', 'weights.pth', []), ('FrameMean', None, [])])
def test_an_untrained_branch_is_told(world, monkeypatch, backbone, checkpoint, lines):
    said = []
    monkeypatch.setattr(branch_files, 'print_log', lambda line, **_: said.append(line))
    config = Config.fromfile('config.py')
    if backbone == 'FrameMean':
        config.model.backbone = dict(type='FrameMean')
    VideoSearch.from_config(config, checkpoint)
    assert said == lines


def test_a_text_s_ranks_are_those_of_a_slow_loop(videos):
    search = filled(videos)
    model, rows = slowly(videos)
    with torch.no_grad():
        text = model.encode_text(tokenize([TEXT], 9))[0]
    cosines = [(float(row @ text / text.norm()), path) for path, row in rows.items()]
    expected = sorted(cosines, reverse=True)
    found = search.search(TEXT)
    assert [path for path, _ in found] == [path for _, path in expected]
    np.testing.assert_allclose([cosine for _, cosine in found],
                               [cosine for cosine, _ in expected], atol=1e-5)
    assert found[0][1] - found[-1][1] > 1e-3 and search.search(TEXT, top=2) == found[:2]


def test_a_text_is_cut_where_the_config_cuts_it(videos):
    search, recognition = filled(videos), new_search('recognition.py')
    assert (search.encoder.context_length, recognition.encoder.context_length) == (9, 7)
    words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
    # 7 words fit in 9 tokens
    assert search.search(' '.join(words)) == search.search(' '.join(words[:7]))
    assert search.search(' '.join(words)) != search.search(' '.join(words[:6]))


def test_similar_videos_and_not_the_video_itself(videos, world, monkeypatch):
    search = filled(videos)
    _, rows = slowly(videos)
    others = sorted(((float(rows[videos[1]] @ row), path) for path, row in rows.items()
                     if path != videos[1]), reverse=True)
    sizes = count_encoded(search, monkeypatch)
    found = search.similar('videos/b.mp4')  # the path is known, however it is written
    assert [path for path, _ in found] == [path for _, path in others] and sizes == []
    np.testing.assert_allclose([cosine for _, cosine in found], [c for c, _ in others], atol=1e-5)
    assert search.similar(videos[1], top=3) == found[:3]
    shutil.copy(videos[1], world / 'copy.mp4')
    (path, cosine), = search.similar('copy.mp4', top=1)
    assert path == videos[1] and abs(cosine - 1) < 1e-5 and len(search) == 5 and sizes == [1]
    os.remove(videos[1])
    assert search.similar(videos[1]) == found  # the index still knows it


@pytest.mark.parametrize('temperature', [0.01, 0.5])
def test_labels_are_those_of_the_zero_shot_head(videos, temperature):
    config = Config.fromfile('config.py')
    config.model.cls_head = dict(type='ZeroShotHead', classes=CLASSES, context_length=9,
                                 temperature=temperature)
    model = init_model(config, 'weights.pth')
    model.set_classes()
    config.test_dataloader.dataset.pipeline[0].by = 'time'  # as a search does unless it is told
    read = Compose(config.test_dataloader.dataset.pipeline)
    search = new_search()
    search.add(videos[:1])
    for video in videos[:2]:  # one of the index, and one that is not
        sample = read(dict(filename=video, captions=['any']))
        frames = model.data_preprocessor(dict(inputs=dict(imgs=[sample['inputs']['imgs']])))
        scores = model.predict(frames['inputs'], [ActionDataSample()])[0].pred_score
        expected = sorted(zip(scores.tolist(), CLASSES), reverse=True)
        found = search.label(video, CLASSES, top=6, temperature=temperature)
        assert [name for name, _ in found] == [name for _, name in expected]
        np.testing.assert_allclose([p for _, p in found], [p for p, _ in expected], atol=2e-4)
        assert sum(p for _, p in found) == pytest.approx(1)
        assert search.label(video, CLASSES, 2, temperature) == found[:2]
        fewer = search.label(video, CLASSES[:3], temperature=temperature)
        assert {name for name, _ in fewer} == set(CLASSES[:3])
    assert len(search) == 1


def test_what_is_cut_short_goes_on_with_what_is_missing(videos, monkeypatch):
    search, saved = new_search(), []

    def progress(done, total):
        saved.append((done, total))
        search.save('index.npz')
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.add(videos, progress=progress, batch_size=2)
    again = new_search()
    again.load_index('index.npz')
    assert saved == [(2, 5), (4, 5)] and again.paths == videos[:4]
    sizes = count_encoded(again, monkeypatch)
    assert again.add([*videos, 'videos/../videos/e.mp4']) == 1 and sizes == [1]
    np.testing.assert_allclose(again.embeddings, filled(videos).embeddings, atol=1e-6)


def test_a_changed_video_is_encoded_again(videos, monkeypatch):
    search = filled(videos)
    before = search.embeddings.copy()
    write_clip(videos[1], seed=9)
    status = os.stat(videos[2])
    os.utime(videos[2], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    sizes = count_encoded(search, monkeypatch)
    assert not np.allclose(search.embedding(videos[1]), before[1], atol=1e-3) and sizes == [1]
    assert search.add(videos) == 2 and sizes == [1, 2] and search.paths == videos
    moved = np.abs(search.embeddings - before).max(axis=1)
    assert moved[1] > 1e-3 and moved[[0, 2, 3, 4]].max() < 1e-6


def test_broken_videos_are_named_and_left_out(videos, world):
    why = write_broken(world / 'broken')
    broken = [str(world / 'broken' / name) for name in why]
    search, seen = new_search(), []
    assert search.add([broken[0], *videos, *broken[1:]], batch_size=3,
                      progress=lambda *counts: seen.append(counts)) == 5
    assert search.paths == videos and list(search.broken) == broken and seen[-1] == (12, 12)
    for path, said in zip(broken, why.values()):
        assert path in search.broken[path] and said in search.broken[path]
        with pytest.raises(VideoReadError, match=said):
            new_search().add([path], on_broken='error')
        with pytest.raises(VideoReadError, match=said):
            search.label(path, CLASSES)
    shutil.copy(videos[0], broken[1])
    assert search.add(broken) == 1 and list(search.broken) == [broken[0], *broken[2:]]
    Path(videos[3]).write_text('no video any more')
    assert search.add(videos) == 0 and videos[3] not in search.paths and len(search) == 5
    assert len(search.embeddings) == 5 and videos[3] in search.broken


def test_an_error_keeps_what_was_read_before(videos):
    search = new_search()
    with pytest.raises(VideoReadError, match='no.mp4 is missing'):
        search.add([*videos[:3], 'no.mp4', *videos[3:]], on_broken='error', batch_size=2)
    assert search.paths == videos[:3]


def test_workers_read_the_same(videos):
    search = new_search()
    search.add([*videos[:2], 'no.mp4', *videos[2:]], workers=2, batch_size=2)
    assert search.paths == videos and list(search.broken) == [os.path.abspath('no.mp4')]
    np.testing.assert_allclose(search.embeddings, filled(videos).embeddings, atol=1e-6)


def test_views_of_a_video_are_averaged(videos):
    config = Config.fromfile('config.py')
    config.test_dataloader.dataset.pipeline[0].num_clips = 2
    search = new_search(config)
    search.add(videos[:1])
    imgs = search.encoder.read(dict(filename=videos[0]))['inputs']['imgs']
    assert imgs.shape == (2, 4, 3, 12, 12)
    views = search.encoder.videos(list(imgs)).mean(axis=0)
    np.testing.assert_allclose(search.embeddings[0], views / np.linalg.norm(views), atol=1e-5)


def test_videos_that_are_gone_leave_on_request(videos):
    search = filled(videos)
    os.remove(videos[2])
    assert search.search(TEXT, top=9) and len(search) == 5
    assert search.drop_missing() == [videos[2]] and search.drop_missing() == []
    assert search.paths == videos[:2] + videos[3:] and search.embeddings.shape == (4, 12)


@pytest.mark.parametrize('wrong, line', [
    (lambda s: s.search(''), 'is empty or no text'),
    (lambda s: s.search('a dog', top=0), 'top must be at least 1, got 0'),
    (lambda s: s.search('a dog'), 'the index holds no videos yet'),
    (lambda s: s.add(['a.mp4'], on_broken='no'), "on_broken must be 'skip' or 'error', got 'no'"),
    (lambda s: s.add(['a.mp4'], batch_size=0), 'batch_size must be at least 1'),
    (lambda s: s.label('videos/a.mp4', ['a dog']), 'classes must be the names of at least two'),
    (lambda s: s.label('videos/a.mp4', 'a dog'), "at least two, got 'a dog'"),
    (lambda s: s.label('videos/a.mp4', ['a', 'b', 'a']), "class 'a' is named twice"),
    (lambda s: s.label('videos/a.mp4', ['a', 'b'], temperature=0), 'temperature must be above 0'),
    (lambda s: VideoSearch(s.encoder.model, [], 2), 'context_length must be at least 3'),
    (lambda s: VideoSearch(torch.nn.Linear(1, 1), [], 9), 'this Linear cannot compare'),
    (lambda s: VideoSearch.from_config(Config(dict(model={}))), 'no test_dataloader whose'),
])
def test_bad_input_is_one_line(world, wrong, line):
    with pytest.raises(ValueError, match=line) as error:
        wrong(new_search())
    assert '\n' not in str(error.value)


def test_embeddings_that_are_not_finite_are_refused(videos):
    search = new_search()
    with torch.no_grad():
        search.encoder.model.backbone.branch.cls_token.fill_(float('nan'))
    with pytest.raises(ValueError, match='embeddings that are not finite; check its weights'):
        search.add(videos)
    assert len(search) == 0


def test_labels_have_the_temperature_of_the_model_s_objectives(videos):
    """A softmax of cosines, worked out by hand."""
    config = Config.fromfile('config.py')
    config.model.heads = [dict(type='VTCHead', temperature=0.2)]
    search = new_search(config)
    names = ['a cat', 'a dog']
    cosines = search.encoder.texts(names) @ search.embedding(videos[0])
    expected = np.exp(cosines / 0.2) / np.exp(cosines / 0.2).sum()
    assert dict(search.label(videos[0], names)) == pytest.approx(dict(zip(names, expected)))
    assert new_search().temperature == 0.01
