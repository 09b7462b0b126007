"""The fenced blocks of the documents, and what an HTML comment before one says about it.

A comment before a block is one of::

    <!-- block: with 'cuda' as 'cpu' -->          run with one text in the place of another
    <!-- block: given imgs = ... -->              run after this line
    <!-- block: of configs/zeroshot_k400.py -->   options that are given to this config
    <!-- block: excerpt of mmbt.models.X -->      quotes the fields of a dataclass
    <!-- block: not run: why -->                  is not run

A Python block that begins ``# NAME.py`` is that file, and so are the parts of a block that begin
so. Where a file holds ``_base_`` it is a config, else a module, which the Python blocks after it in
the same document go on with.
"""
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
FENCE = re.compile(r'^(?:<!-- block: (?P<note>.*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$',
                   re.M | re.S)
FILE = re.compile(r'^# (?P<name>[\w/]+\.py)\b.*\n', re.M)


@dataclass(frozen=True)
class Block:
    """One block: its document, the line that it begins at, its language, what is said, itself."""

    document: str
    line: int
    language: str
    note: str
    text: str

    def __str__(self):
        return f'{self.document}:{self.line}'

    def told(self, word):
        """What the note says after a word that it begins with; None where it does not."""
        return self.note[len(word):].strip() if self.note.startswith(word) else None

    @property
    def code(self):
        """The text as it is run."""
        replaced = re.fullmatch("with '(.*)' as '(.*)'", self.note)
        if replaced:
            assert replaced[1] in self.text, f'{self}: nothing to replace'
            return self.text.replace(*replaced.groups())
        return f"{self.told('given') or ''}\n{self.text}"

    @property
    def files(self):
        """Name -> text of the files that the block is made of."""
        heads = list(FILE.finditer(self.text))
        if not heads or heads[0].start():
            return {}
        ends = [*(head.start() for head in heads[1:]), len(self.text)]
        return {head['name']: self.text[head.start():end] for head, end in zip(heads, ends)}


def read_blocks(path):
    """The blocks of a document."""
    text = path.read_text()
    return [Block(str(path.relative_to(ROOT)), text[:found.start('language')].count('\n') + 1,
                  found['language'], found['note'] or '', found['text'])
            for found in FENCE.finditer(text)]


BLOCKS = [block for path in DOCUMENTS for block in read_blocks(path)]
IDLE = [block for block in BLOCKS if block.told('not run:') is not None]
QUOTED = [block for block in BLOCKS if block.told('excerpt of')]
PYTHON = [block for block in BLOCKS
          if block.language == 'python' and block not in IDLE and block not in QUOTED]
SHELL = [block for block in BLOCKS if block.language in ('bash', 'shell') and block not in IDLE]
CONFIGS = {name: text for block in PYTHON for name, text in block.files.items()
           if '_base_' in text}


def modules():
    """Name -> text of the modules, each with the blocks that go on with it, and these blocks."""
    found, used = {}, []
    for document in dict.fromkeys(block.document for block in PYTHON):
        name = None
        for block in (block for block in PYTHON if block.document == document):
            starts = [each for each, text in block.files.items() if '_base_' not in text]
            if starts:
                name, = starts
                found[name] = ''
            if name and not any('_base_' in text for text in block.files.values()):
                found[name] += block.text + '\n'
                used.append(block)
    return found, used


MODULES, OF_MODULES = modules()
SCRIPTS = [block for block in PYTHON if not block.files and block not in OF_MODULES]
