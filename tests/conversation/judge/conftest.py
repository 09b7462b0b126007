"""What tests of the judge share."""
import pytest


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """A folder, a key, and no proxy or server of the machine's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('OPENAI_API_KEY', ' secret \n')
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    for name in ('OPENAI_BASE_URL', 'MMBT_TRACEBACK'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
