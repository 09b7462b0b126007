"""The folder that many machines write to: what it is made by, its fragments, and what is done."""
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmbt.files.atomic import whole_file
from mmbt.files.disk_errors import named
from mmbt.files.json_text import read_json
from mmbt.files.lock import Lock
from mmbt.files.shown import printable

from ..fragments import SUFFIX, Embedded, write_fragment
from ..moment_rows import check_made_by
from ..stamps import PathLike, Stamp

FORM = 'mmbt embed 1'
SETTINGS = 'embed.json'
MOST_SETTINGS = 2**22  # bytes


class Done(NamedTuple):
    """What a part that is done holds.

    Attributes:
        digest: Of its videos as they were, see :func:`digest_of`.
        videos: That could be read.
        windows: Of these.
        broken: Videos that could not be read.
    """

    digest: str
    videos: int
    windows: int
    broken: int


class Output:
    """A folder of fragments; see :meth:`create` and :meth:`open`.

    Attributes:
        folder (Path): It holds ``embed.json``, ``fragments``, ``done`` and ``leases``.
        parts (int): Those that the list is cut into.
        width (int): E.
        made_by (dict): What the embeddings depend on.
    """

    def __init__(self, folder: Path, parts: int, width: int, made_by: dict[str, Any]) -> None:
        self.folder, self.parts, self.width, self.made_by = folder, parts, width, made_by

    @classmethod
    def create(cls, folder: PathLike, parts: int, width: int, made_by: dict[str, Any]) -> 'Output':
        """Begin a folder, or open the one that is there; several may do so at once.

        Raises:
            ValueError: If it was made by something else or with other parts, or holds other files.
            OSError: If it cannot be written.
        """
        folder = Path(os.path.abspath(folder))
        settings = folder / SETTINGS
        if not settings.exists():
            check_new(folder)
            with named(folder):
                folder.mkdir(parents=True, exist_ok=True)
            with Lock(folder / f'{SETTINGS}.lock', f'folder {folder}', wait=60.):
                if not settings.exists():
                    with whole_file(settings) as draft:
                        draft.write_text(json.dumps(dict(form=FORM, parts=parts, width=width,
                                                         made_by=made_by), indent=1),
                                         encoding='utf-8')
        output = cls.open(folder)
        check_made_by(str(folder), made_by, output.made_by, 'folder')
        if output.parts != parts:
            raise ValueError(f'folder {printable(str(folder))} was begun with {output.parts} parts,'
                             f' not {parts}: go on with as many, or name a new folder')
        return output

    @classmethod
    def open(cls, folder: PathLike) -> 'Output':
        """Open a folder.

        Raises:
            FileNotFoundError: If nothing was begun there.
            ValueError: If it is damaged.
        """
        folder = Path(os.path.abspath(folder))
        settings = folder / SETTINGS
        if not settings.is_file():
            raise FileNotFoundError(f'{printable(str(folder))} has no {SETTINGS}: name the folder '
                                    'that `mmbt embed LIST --out` wrote to')
        found = read_json(settings, dict, 'settings of embedded parts', most=MOST_SETTINGS)
        parts, width, made_by = (found.get(name) for name in ('parts', 'width', 'made_by'))
        if (found.get('form') != FORM or type(parts) is not int or type(width) is not int
                or parts < 1 or width < 1 or not isinstance(made_by, dict)):
            raise ValueError(f'{printable(str(settings))} is damaged or of another version of '
                             'mmbt: name a new folder')
        return cls(folder, parts, width, made_by)

    @property
    def fragment_folder(self) -> Path:
        """Where the fragments are."""
        return self.folder / 'fragments'

    @property
    def lease_folder(self) -> Path:
        """Where the leases are."""
        return self.folder / 'leases'

    def fragments(self, part: int) -> list[Path]:
        """The fragments of a part."""
        return sorted(self.fragment_folder.glob(f'{name_of(part)}.*{SUFFIX}'))

    def write(self, part: int, rows: Sequence[Embedded]) -> Path:
        """Write a fragment of a part, under a name that follows from its videos."""
        told = json.dumps([row.video for row in rows])
        name = hashlib.blake2b(told.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()
        return write_fragment(self.fragment_folder, f'{name_of(part)}.{name}', rows,
                              width=self.width, made_by=self.made_by)

    def done(self, part: int) -> Done | None:
        """What a part that is done holds; None of one that is not."""
        path = self._done_file(part)
        if not path.is_file():
            return None
        found = read_json(path, dict, 'part that is done', most=MOST_SETTINGS)
        counts = [found.get(name) for name in Done._fields[1:]]
        if not isinstance(found.get('digest'), str) or any(type(each) is not int or each < 0
                                                           for each in counts):
            raise ValueError(f'{printable(str(path))} is damaged: delete it, and run `mmbt embed` '
                             'again')
        return Done(found['digest'], *counts)

    def finish(self, part: int, done: Done) -> None:
        """Say that a part is done."""
        with whole_file(self._done_file(part)) as draft:
            draft.write_text(json.dumps(done._asdict()), encoding='utf-8')

    def confirm(self, part: int) -> None:
        """Say that a part that is done has been looked at now."""
        os.utime(self._done_file(part))

    def begin(self, part: int) -> None:
        """Say that a part is not done, or no more."""
        self._done_file(part).unlink(missing_ok=True)

    def when_done(self) -> dict[int, float]:
        """Part -> when it was done or confirmed, by the folder's clock, of those that are done."""
        found = {}
        if not (self.folder / 'done').is_dir():
            return {}
        with os.scandir(self.folder / 'done') as entries:
            for entry in entries:
                number, _, rest = entry.name.partition('.')
                if number.isdecimal() and rest == 'json':
                    found[int(number)] = entry.stat().st_mtime
        return found

    def missing(self) -> list[int]:
        """The parts that are not done."""
        done = self.when_done()
        return [part for part in range(self.parts) if part not in done]

    def _done_file(self, part: int) -> Path:
        return self.folder / 'done' / f'{name_of(part)}.json'


def check_new(folder: PathLike) -> None:
    """Raise ValueError where a folder to be begun is a file, or holds something else."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'--out {printable(str(folder))} is a file; name a folder')
    others = [] if not folder.is_dir() else [
        name for name in os.listdir(folder) if not name.startswith(SETTINGS)]
    if others and not (folder / SETTINGS).exists():
        raise ValueError(f'{printable(str(folder))} holds other files and was not written by `mmbt '
                         'embed`: name a new folder')


def name_of(part: int) -> str:
    """A part's name, by which they sort."""
    return f'{part:06d}'


def digest_of(stamps: dict[str, Stamp]) -> str:
    """What a part's videos are: their paths, sizes and times of change."""
    total = hashlib.blake2b(digest_size=16)
    for path in sorted(stamps):
        total.update(os.fsencode(path) + b'\0' + b'%d %d\n' % stamps[path])
    return total.hexdigest()
