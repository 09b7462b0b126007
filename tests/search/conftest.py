"""What the tests of search share."""
import shutil

import pytest
import torch

from mmbt.apis import init_model, save_branch
from mmbt.files.source import CARD
from mmbt.models.checkpoints.card_files import model_card
from mmbt.search.moment_index import MomentIndex

from .moments_world import MADE_BY, WIDTH, a_name, add
from .search_world import write_world


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A folder with config, weights and five videos."""
    monkeypatch.chdir(tmp_path)
    write_world(tmp_path)
    return tmp_path


@pytest.fixture
def videos(world):
    """The five videos' absolute paths."""
    return sorted(map(str, (world / 'videos').iterdir()))


@pytest.fixture
def checkpoint(world):
    """The world's model, as ``whole.pth`` with its card; ``branch.pth`` and ``clip.pth`` beside."""
    model = init_model('config.py', 'weights.pth')
    meta = {CARD: model_card(model).to_dict()}
    torch.save(dict(meta=meta, state_dict=model.state_dict()), 'whole.pth')
    save_branch(model, 'branch.pth')
    shutil.copy('whole.pth', 'clip.pth')
    return model


@pytest.fixture
def index(tmp_path):
    """An index of moments: 30 videos of ten windows each."""
    made = MomentIndex.create(tmp_path / 'index', WIDTH, MADE_BY)
    for number in range(30):
        add(made, a_name(number), seed=number)
    made.flush()
    return made
