"""What the documents name in passing is there: files, configs, links, commands within a line."""
import re
from itertools import product

import pytest
from packaging.version import Version

import mmbt

from .blocks import DOCUMENTS, FENCE, ROOT
from .commands import check, commands

CONFIG = r'(pretrain|zeroshot|dialogue|tune|demo|shapes|table\d+|fig\d)_[\w*]+\.py'
CONFIG_NAMES = {path.name for path in (ROOT / 'configs').rglob('*.py')}
TEXTS = {str(path.relative_to(ROOT)): FENCE.sub('', path.read_text()) for path in DOCUMENTS}
SPANS = {name: [' '.join(span.split()) for span in re.findall('`([^`]+)`', text)]
         for name, text in TEXTS.items()}


def alternatives(path):
    """A path with {a,b} in it as several."""
    parts = [part.split(',') for part in re.split(r'\{(.*?)\}', path)]
    return [''.join(each) for each in product(*parts)]


@pytest.mark.parametrize('document', SPANS)
def test_files_are_there(document):
    missing = [span for span in SPANS[document]
               if re.fullmatch(r'(tools|configs|mmbt|tests|docs)/[\w/.*{},-]+', span)
               and not all(list(ROOT.glob(each.rstrip('/'))) for each in alternatives(span))]
    assert missing == []


@pytest.mark.parametrize('document', SPANS)
def test_configs_are_there(document):
    """Those that are named without their folder; `*` stands for anything."""
    missing = [
        span for span in SPANS[document]
        if re.fullmatch(CONFIG, span)
        and not any(re.fullmatch(span.replace('.', r'\.').replace('*', '.*'), name)
                    for name in CONFIG_NAMES)]
    assert missing == []


@pytest.mark.parametrize('document', TEXTS)
def test_links_lead_somewhere(document):
    for link in re.findall(r'\]\(\s*([^)\s]+)\s*\)', TEXTS[document]):
        if '://' in link:
            continue
        path, _, anchor = link.partition('#')
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), link
        if anchor:
            headings = re.findall('^#+ (.*)$', target.read_text(), re.M)
            anchors = {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-')
                       for heading in headings}
            assert anchor in anchors, link


def test_the_changelog_begins_with_the_version():
    """A development version is later than what was released, and its changes stand first."""
    heads = re.findall(r'^## (\d+\.\d+\.\d+)', (ROOT / 'CHANGELOG.md').read_text(), re.M)
    version = Version(mmbt.__version__)
    assert heads[0] == version.base_version
    assert version > Version(heads[1]) and str(version) == mmbt.__version__  # as PEP 440 writes it


INLINE = sorted({span for spans in SPANS.values() for span in spans
                 if re.match(r'(mmbt \S.*(--\w|/|\.\w)|mim (train|test) |make )', span)
                 and 'CONFIG' not in span})


@pytest.mark.parametrize('command', INLINE)
def test_commands_within_a_line_take_their_arguments(command, monkeypatch):
    for words in commands(command):
        if words[0] == 'make':
            words = [word for word in words if '=' not in word]
        check(words, monkeypatch, ROOT)
