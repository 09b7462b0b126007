"""The file of an index: the same when read, no pickle in it, and refused where it does not fit."""
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmbt.apis import VideoSearch

from .search_world import TEXT, count_encoded, filled, new_search, save_weights


def test_a_saved_index_is_the_same(videos, monkeypatch):
    search = filled(videos)
    search.add(['no.mp4'])
    search.save('deep/index.npz')
    again = new_search()
    again.load_index('deep/index.npz')
    assert again.paths == search.paths and again.broken == search.broken != {}
    assert np.array_equal(again.embeddings, search.embeddings)
    assert again.search(TEXT) == search.search(TEXT)
    sizes = count_encoded(again, monkeypatch)
    assert again.add(videos) == 0 and sizes == []
    with zipfile.ZipFile('deep/index.npz') as file:
        headers = [file.read(name)[:80] for name in file.namelist()]
    assert len(headers) == 7 and not any(b'|O' in header for header in headers)
    assert os.listdir('deep') == ['index.npz']


def test_an_index_of_another_model_is_refused(videos, world):
    filled(videos).save('index.npz')
    save_weights(world / 'same.pth')
    VideoSearch.from_config('config.py', 'same.pth').load_index('index.npz')
    save_weights(world / 'nudged.pth', nudge=1e-5)
    gelu = Config.fromfile('config.py')
    gelu.model.trunk.arch.quick_gelu = False  # no weight shows it
    half, apart = new_search(), new_search()
    half.encoder.model.half()
    apart.encoder.model.backbone.branch.interaction = False
    for search in (VideoSearch.from_config('config.py', 'nudged.pth'), new_search(gelu), half,
                   apart):
        with pytest.raises(ValueError, match='index.npz was made by another model[^\n]*make it'):
            search.load_index('index.npz')
    other = Config.fromfile('config.py')
    other.test_dataloader.dataset.pipeline[0].num_frames = 3
    with pytest.raises(ValueError, match='index.npz was made by another pipeline; make it anew'):
        new_search(other).load_index('index.npz')
    other = Config.fromfile('config.py')
    other.test_dataloader.dataset.pipeline[0].by = 'frame'  # and not by time, as it was
    with pytest.raises(ValueError, match='index.npz was made by another pipeline; make it anew'):
        new_search(other).load_index('index.npz')
    other = Config.fromfile('config.py')
    other.test_dataloader.dataset.pipeline[0].by = 'time'
    other.test_dataloader.dataset.pipeline[2].context_length = 12  # of text alone
    new_search(other).load_index('index.npz')


def test_a_damaged_index_is_one_line(videos):
    search = filled(videos)
    search.save('index.npz')
    whole = Path('index.npz').read_bytes()
    with np.load('index.npz') as file:
        arrays = dict(file)
    np.savez('short.npz', **dict(arrays, embeddings=arrays['embeddings'][:3]))
    np.savez('pickled.npz', **dict(arrays, paths=arrays['paths'].astype(object)))
    np.save('array.npy', arrays['embeddings'])
    Path('cut.npz').write_bytes(whole[:len(whole) // 2])
    Path('empty.npz').touch()
    Path('text.npz').write_text('no index')
    for name in ('short.npz', 'pickled.npz', 'array.npy', 'cut.npz', 'empty.npz', 'text.npz'):
        with pytest.raises(ValueError, match=f'^{name} is no index of videos, or damaged$'):
            search.load_index(name)
    with pytest.raises(FileNotFoundError, match='index no.npz is missing'):
        search.load_index('no.npz')
    assert search.paths == videos  # what it was
