"""What stands beside the code: how to cite, to report, and to be checked elsewhere."""
import os
from pathlib import Path

import pytest
import yaml

import mmbt

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / '.github/ISSUE_TEMPLATE').glob('*.yml'))


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding='utf-8'))


def test_the_citation_is_of_this_version_and_of_the_readme_s_paper():
    citation = read('CITATION.cff')
    assert citation['version'] == mmbt.__version__
    paper = citation['preferred-citation']
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    authors = [f"{each['family-names']}, {each['given-names']}" for each in paper['authors']]
    assert f"author    = {{{' and '.join(authors)}}}" in readme
    assert paper['title'].partition(': ')[2] in readme and paper['url'][8:] in readme
    assert f"pages     = {{{paper['start']}--{paper['end']}}}" in readme


@pytest.mark.parametrize('form', FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_what_it_needs(form):
    form = read(form)
    assert form['name'] and form['description'] and form['labels']
    ids = [part['id'] for part in form['body']]
    assert len(set(ids)) == len(ids) > 1
    assert any(part.get('validations', {}).get('required') for part in form['body'])


def test_the_workflow_runs_what_is_run_here():
    steps = read('.github/workflows/ci.yml')['jobs']['test']['steps']
    commands = [step['run'] for step in steps if 'run' in step]
    assert commands == ['bash .ci/run'] and os.access(ROOT / '.ci/run', os.R_OK)
    key = next(step['with']['key'] for step in steps if 'cache' in step.get('uses', ''))
    for name in ('requirements.txt', 'requirements-dev.txt'):
        assert f"'{name}'" in key and (ROOT / name).is_file()


def test_the_hooks_before_a_commit_are_those_of_make_lint():
    hooks = [hook['entry'] for repo in read('.pre-commit-config.yaml')['repos']
             for hook in repo['hooks']]
    lint = (ROOT / 'Makefile').read_text().partition('\nlint:')[2].splitlines()[1]
    assert [each.split()[2] for each in hooks] == ['ruff', 'mypy']
    assert all(f'-m {name}' in lint for name in ('ruff', 'mypy'))
