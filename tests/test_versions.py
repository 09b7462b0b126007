"""What versions are claimed: those of the table in docs/quickstart.md, in each place."""
import re
from pathlib import Path

from mmbt.compat.imports import REQUIREMENTS

ROOT = Path(__file__).parents[1]
QUICK_START = (ROOT / 'docs/quickstart.md').read_text()
TABLE = {name: (pinned, oldest) for name, pinned, oldest in re.findall(
    r'^\| (\w[\w-]*)(?:, [\w ]+)? \| ([\d.]+) \| ([\d.]+) \|$', QUICK_START, re.M)}
SETUP = (ROOT / 'setup.py').read_text()
BOUNDS = dict(re.findall(r"'([\w-]+)>=([\d.]+)[,']", SETUP))


def test_the_table_has_the_pinned_versions():
    files = [(ROOT / name).read_text() for name in ('requirements.txt', 'requirements-dev.txt')]
    pins = dict(re.findall(r'^([\w-]+)==([\d.]+)$', '\n'.join(files), re.M))
    assert len(TABLE) >= 15
    assert {name: pinned for name, (pinned, _) in TABLE.items()} == {
        name: pins[name] for name in TABLE}


def test_the_package_asks_for_the_oldest_that_were_tested():
    assert {name: oldest for name, (_, oldest) in TABLE.items()} == {
        name: BOUNDS[name] for name in TABLE}
    # The rest are tools; of them the pinned version is the oldest.
    assert set(BOUNDS) - set(TABLE) == {
        'gradio', 'openmim', 'pytest', 'ray', 'scenedetect', 'setuptools'}
    for _, names, lowest, _ in REQUIREMENTS:
        name, = (name for name in names if name in BOUNDS)
        assert f'{lowest}.0'.startswith(f'{BOUNDS[name]}.')


def test_no_other_python_is_claimed():
    classified = re.findall(r'Python :: (3\.\d+)', SETUP)
    assert classified == re.findall(r'with Python (3\.\d+);', QUICK_START) == ['3.11']
    assert f"python_requires='>={classified[0]}'" in SETUP
