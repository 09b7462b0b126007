"""docs/troubleshooting.md: every message that it explains is one that the code can say."""
import ast
import re

import pytest

from .blocks import ROOT

GAP = '\0'  # stands in a text of the code where something is filled in
TEXT = (ROOT / 'docs/troubleshooting.md').read_text()
OURS, _, OTHERS = TEXT.partition('\n## Lines of other libraries\n')
MESSAGES = re.findall('^### `(.+)`$', OURS, re.M)


def texts_of(path):
    """The texts of a file of code, an f-string's parts with gaps between them."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.JoinedStr):
            yield ''.join(part.value if isinstance(part, ast.Constant) else GAP
                          for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope='module')
def texts():
    return [text for folder in ('mmbt', 'tools') for path in sorted((ROOT / folder).rglob('*.py'))
            if '.mim' not in path.parts for text in texts_of(path)]


def can_be_said(message, texts):
    """Whether the parts of a message between its ``...`` stand in one text, gaps between them."""
    parts = [re.escape(part) for part in message.split('...')]
    pattern = re.compile(f'[^{GAP}]*{GAP}.*?'.join(parts), re.S)
    return any(pattern.search(text) for text in texts)


@pytest.mark.parametrize('message', MESSAGES)
def test_the_code_says_so(message, texts):
    assert can_be_said(message, texts)


def test_other_messages_are_noticed(texts):
    assert not can_be_said('config ... is absent', texts)
    assert not can_be_said('config ... missing is', texts)  # in another order
    assert not can_be_said('config is missing', texts)  # without what is filled in


def test_each_says_what_to_do():
    """Each message has a section with it, and there are as many as a page of help should have."""
    assert len(MESSAGES) >= 40 and len(set(MESSAGES)) == len(MESSAGES)
    sections = re.split('^### ', TEXT, flags=re.M)[1:]
    assert [section.splitlines()[0] for section in sections if '**Do**' not in section] == []
    assert len(re.findall('^### `', OTHERS, re.M)) == len(sections) - len(MESSAGES)
