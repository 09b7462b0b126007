"""What the tests of search share."""
import pytest

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
