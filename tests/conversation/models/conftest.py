"""What the tests of this folder share."""
import pytest

from .tiny_tuning import write_models


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """A CLIP, a LLaVA v1 and a branch to tune from; no test writes to it.

    Files whose models are others have a fixture of this name for them.
    """
    path = tmp_path_factory.mktemp('tuning')
    write_models(path)
    return path
