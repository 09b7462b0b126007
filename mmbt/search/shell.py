"""A prompt that answers line after line, with the model and the index held in memory."""
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

from mmbt.files.shown import printable
from mmbt.reading import VideoReadError

from .folder_search import FolderSearch
from .query import Query
from .tables import hit_lines

HELP = """\
Each line is a text to look for.
  :without TEXT   leave out what fits this as well; alone, nothing
  :time           of what the mean of the frames finds, rank by what the branch adds; or no more
  :top N          show N moments
  :json           answer with a JSON list a line, or not any more
  :new            take in videos that are new
  :help           this
  :quit           end it, as the end of the input does"""


@dataclass
class Shell:
    """Asks a folder what each line says.

    Args:
        videos: What is asked; up to date.
        top: Moments of an answer.
        as_json: Whether an answer is a JSON list in a line.
        mode: As :class:`.query.Query` has it.
        without: The same.
        how: How new videos are taken in, see :meth:`FolderSearch.update`.
        answers: Where answers go. None: stdout.
    """

    videos: FolderSearch
    top: int = 10
    as_json: bool = False
    mode: str = 'plain'
    without: tuple[str, ...] = ()
    how: dict = field(default_factory=dict)
    answers: TextIO | None = None

    def run(self, lines: Iterable[str]) -> None:
        """Answer each line, until there are no more or one says ``:quit``.

        What a line asks in vain is told on stderr, and the next line has its turn.
        """
        for line in map(str.strip, lines):
            if line in (':quit', ':q', ':exit'):
                return
            try:
                if line.startswith(':'):
                    self._set(line[1:])
                elif line:
                    self._answer(line)
            except (ValueError, FileNotFoundError, VideoReadError) as error:
                tell(f'error: {error}')

    def _answer(self, text: str) -> None:
        start = time.monotonic()
        hits = self.videos.ask(Query((text,), without=self.without, mode=self.mode), self.top)
        for line in hit_lines(hits, self.as_json):
            print(line, file=self.answers or sys.stdout, flush=True)
        tell(f'{len(hits)} moments in {1000 * (time.monotonic() - start):.0f} ms')

    def _set(self, words: str) -> None:
        name, _, value = words.partition(' ')
        value = value.strip()
        if name == 'help':
            tell(HELP)
        elif name == 'time':
            self.mode = 'plain' if self.mode == 'time' else 'time'
            tell(f"ranked by {'what the branch adds' if self.mode == 'time' else 'the score'}")
        elif name == 'json':
            self.as_json = not self.as_json
        elif name == 'top' and value.isdecimal() and int(value):
            self.top = int(value)
        elif name == 'without':
            self.without = (value,) if value else ()
        elif name == 'new':
            tell(self.videos.update(**self.how))
        else:
            raise ValueError(f':{printable(words)} is no command of the shell: :help lists them')


def tell(line: str) -> None:
    """Say something beside the answers, on stderr."""
    print('\n'.join(map(printable, line.splitlines())), file=sys.stderr, flush=True)
