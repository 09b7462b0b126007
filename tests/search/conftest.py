"""What the tests of search share."""
import shutil

import pytest
import torch

from mmbt.apis import init_model, save_branch
from mmbt.files.source import CARD
from mmbt.models.checkpoints.card_files import model_card

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
