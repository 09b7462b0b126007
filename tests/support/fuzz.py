"""Malformed inputs, with fixed seeds: what a loader makes of files that nobody meant.

A loader is a :class:`Door`: valid examples of its files, and the call that loads one. :func:`fuzz`
gives it many damaged copies of each and counts what comes of them. Right is only one of two things:
a value, or one line that names the file.
"""
import json
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REFUSALS = (ValueError, FileNotFoundError)
ODD_VALUES = (None, True, -1, 0, 10**400, 1.5, float('nan'), float('inf'), '', ' ', '\x00',
              '\ud800', '=1+1', '\u2028', 'a' * 70_000, [], [[]], {}, {'': ''}, {'__class__': 'x'})
ODD_BYTES = (b'', b'\x00', b'\xff\xfe', b'\xef\xbb\xbf', b'\r\n', b'\x80', b'[' * 5_000,
             b'{"a":' * 5_000, b'"', b'\xe2\x80\xa8', b'9' * 5_000, b'NaN', b'\x1b[31m')


@dataclass
class Door:
    """A loader, and how to make files that it takes.

    Args:
        name: What is loaded, for the table.
        examples: Makes valid files or folders below a folder, and returns their paths.
        load: Loads one. A generator or lazy value must be read to its end here.
        named: What a refusal must say to name the file; by default the path's own name.
        targets: The files of an example that are damaged; by default the example, or every file
            of a folder.
    """

    name: str
    examples: Callable[[Path], list]
    load: Callable[[Path], Any]
    named: Callable[[Path], tuple] = field(default=lambda path: (path.name, path.stem))
    targets: Callable[[Path], list] = field(
        default=lambda path: sorted(path.rglob('*')) if path.is_dir() else [path])


@dataclass
class Tally:
    """What came of the damaged files of one door."""

    tried: int = 0
    accepted: int = 0
    refused: int = 0
    tracebacks: list = field(default_factory=list)
    hung: list = field(default_factory=list)

    @property
    def faults(self) -> list:
        """What is neither a value nor one line that names the file."""
        return self.tracebacks + self.hung


class Hung(BaseException):
    """A loader was not done in time."""


def fuzz(door: Door, folder: Path, count: int = 100, seed: int = 0, seconds: int = 20) -> Tally:
    """Load ``count`` damaged copies of each file of each example; see :class:`Door`.

    The valid examples are loaded first, so that a door that refuses everything fails.
    """
    tally = Tally()
    (folder / 'valid').mkdir()
    for example in map(Path, door.examples(folder / 'valid')):
        door.load(example)
        for target in map(Path, door.targets(example)):
            if not target.is_file():
                continue
            original = target.read_bytes()
            for number, mutant in enumerate(mutants(original, f'{seed}{target.name}', count)):
                target.write_bytes(mutant)
                _try(door, example, f'{door.name}: {target.name}, mutant {number}', tally, seconds)
            target.write_bytes(original)
    return tally


def _try(door: Door, example: Path, case: str, tally: Tally, seconds: int) -> None:
    tally.tried += 1
    try:
        with _deadline(seconds):
            door.load(example)
    except REFUSALS as error:
        line = str(error)
        if '\n' in line.strip() or not any(name in line for name in door.named(example)):
            tally.tracebacks.append(f'{case}: {type(error).__name__} names no file: {line[:200]!r}')
        else:
            tally.refused += 1
    except Hung:
        tally.hung.append(f'{case}: not done after {seconds} s')
    except Exception as error:
        tally.tracebacks.append(f'{case}: {type(error).__name__}: {str(error)[:200]!r}')
    else:
        tally.accepted += 1


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def mutants(data: bytes, seed: str, count: int) -> Iterator[bytes]:
    """``count`` damaged copies of a file, the same for the same seed: bytes, lines, JSON values."""
    draw = random.Random(seed)
    tree = _json(data)
    kinds = [_bytes] + [_lines] * (b'\n' in data) + [_values] * 3 * (tree is not None)
    for _ in range(count):
        kind = draw.choice(kinds)
        yield kind(tree if kind is _values else data, draw)


def _bytes(data: bytes, draw: random.Random) -> bytes:
    place, end = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    return draw.choice([
        lambda: data[:place],
        lambda: data[:place] + bytes([draw.randrange(256)]) + data[place + 1:],
        lambda: data[:place] + draw.choice(ODD_BYTES) + data[place:],
        lambda: data[:place] + draw.choice(ODD_BYTES) + data[place + 1:],
        lambda: data[:place] + data[end:],
        lambda: data[:place] + bytes(min(end - place, 64)) + data[place + 64:],
        lambda: data[:end] + data[place:],
        lambda: draw.randbytes(min(len(data), 200)),
    ])()


def _lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b'\n')
    place = draw.randrange(len(lines))
    line = lines[place]
    lines[place:place + 1] = draw.choice([
        [], [b''], [line, line], [line + draw.choice(ODD_BYTES)], [draw.choice(ODD_BYTES) + line],
        [line.replace(b' ', b'\t')], [line.replace(b',', b'')], [line[::-1]]])
    return draw.choice((b'\n', b'\r\n')).join(lines)


def _values(tree: Any, draw: random.Random) -> bytes:
    """One value of a JSON text replaced, removed or doubled."""
    tree = json.loads(json.dumps(tree))
    places = list(_places(tree))
    if not places:
        return json.dumps(draw.choice(ODD_VALUES)).encode()
    owner, key = draw.choice(places)
    deed = draw.randrange(4)
    if deed == 0:
        del owner[key]
    elif deed == 1 and isinstance(owner, dict):
        owner[draw.choice(('', 'x', '__init__', key.upper(), '= 1 #', '\u2028'))] = owner.pop(key)
    else:
        owner[key] = draw.choice(ODD_VALUES)
    return json.dumps(tree).encode('utf-8', 'surrogatepass')


def _places(tree: Any) -> Iterator[tuple]:
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], (dict, list)):
            yield from _places(tree[key])


def _json(data: bytes) -> Any:
    try:
        tree = json.loads(data)
    except ValueError:
        return None
    return tree if isinstance(tree, (dict, list)) else None


def table(tallies: dict) -> str:
    """Name -> :class:`Tally` as a Markdown table."""
    rows = ['| what | tried | accepted | one line | tracebacks | hung |',
            '|---|---|---|---|---|---|']
    rows += [f'| {name} | {tally.tried} | {tally.accepted} | {tally.refused} | '
             f'{len(tally.tracebacks)} | {len(tally.hung)} |' for name, tally in tallies.items()]
    return '\n'.join(rows)


def copy_example(source: Path, folder: Path) -> Path:
    """A copy of a file or folder, for examples that a test shares."""
    target = folder / source.name
    copy = shutil.copytree if source.is_dir() else shutil.copy2
    return Path(copy(source, target))
