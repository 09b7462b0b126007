"""Read pickles by a list of what they may hold; everything else in them is refused.

A pickle is a program: it may call any function, give any object a state, ask for any memory. Here
its names stand for constructors of our own (:class:`Named`), which check what they are given; the
names themselves are never looked up. Python's own reader in C is no base for that: it lets a file
set the state of whatever it got hold of, and grows its memo to the largest index that a file names.
"""
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar

OPERATIONS = 5_000_000  # about ten seconds
LONGEST_NAME = 500
DIGITS = 100  # of an integer that is written as text
PLACE_DIGITS = 18  # of a place in the memo
LARGEST_KEY = 2**60  # smaller integers have a hash of their own

Refused = pickle.UnpicklingError

# Instructions that a file may not hold: objects of old pickles, extensions, buffers outside of it,
# an array of bytes whose length is believed before they are there, and integers of more digits than
# Python puts into a message.
FORBIDDEN = ('PERSID', 'INST', 'OBJ', 'NEWOBJ_EX', 'EXT1', 'EXT2', 'EXT4', 'BYTEARRAY8',
             'NEXT_BUFFER', 'READONLY_BUFFER', 'LONG4')


@dataclass(frozen=True, eq=False)
class Named:
    """What a name in a file stands for, which is not what has the name in Python.

    Args:
        name: The name, for messages.
        call: What calling it gives, made from the arguments.
        blank: What making it without ``__init__`` gives.
        value: What belongs to it.
    """

    name: str
    call: Callable[..., Any] | None = None
    blank: Callable[[], Any] | None = None
    value: Any = None


class Unfinished:
    """An object that a file has begun and not yet given its state."""

    def __init__(self) -> None:
        self.places: list = []  # in the memo

    def finish(self, state: Any) -> Any:
        """The object that takes the place of this one.

        Raises:
            pickle.UnpicklingError: The state is none of such an object.
        """
        raise NotImplementedError


class _Memo(dict):
    """The objects that a file may refer to, with the places of the unfinished ones."""

    def __setitem__(self, place: int, value: Any) -> None:
        if isinstance(value, Unfinished):
            value.places.append(place)
        super().__setitem__(place, value)


class PlainUnpickler(pickle._Unpickler):
    """Reads a pickle with the help of a list of names.

    Args:
        file: The file; ``read`` of it must not believe a length that is larger than the file.
        names: What the names in the file stand for.
        operations: Instructions after which the file is refused.
    """

    dispatch: ClassVar[dict[int, Callable]] = {}
    stack: list[Any]
    metastack: list[list[Any]]
    readline: Callable[[], bytes]

    def __init__(self, file: IO[bytes], names: Mapping[str, Any],
                 operations: int = OPERATIONS) -> None:
        super().__init__(file, encoding='utf-8')
        self.names = names
        self.left = operations
        self.memo: dict[int, Any] = _Memo()

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for."""
        full = _full_name(module, name)
        try:
            return self.names[full]
        except KeyError:
            raise Refused(f'GLOBAL {full}') from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse objects outside of the file; subclasses may know some."""
        raise Refused('an object outside of it')

    def finished(self, value: Any, state: Any) -> Any:
        """A value with its state; subclasses may know more than unfinished ones."""
        if not isinstance(value, Unfinished):
            raise Refused(f'a state for a {type(value).__name__}')
        whole = value.finish(state)
        if whole is not value:
            self.memo.update(dict.fromkeys(value.places, whole))
        return whole

    def _global(self) -> None:
        lines = [self.readline(), self.readline()]
        if not all(line.endswith(b'\n') and len(line) <= LONGEST_NAME for line in lines):
            raise Refused('a name that is cut short')
        self.stack.append(self.find_class(*(line[:-1].decode('utf-8') for line in lines)))

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not isinstance(function, Named) or function.call is None or type(arguments) is not tuple:
            raise Refused(f'a call of a {getattr(function, "name", type(function).__name__)}')
        self.stack[-1] = function.call(*arguments)

    def _new(self) -> None:
        arguments = self.stack.pop()
        kind = self.stack.pop()
        if not isinstance(kind, Named) or kind.blank is None or arguments != ():
            raise Refused(f'a new {getattr(kind, "name", type(kind).__name__)}')
        self.stack.append(kind.blank())

    def _build(self) -> None:
        state = self.stack.pop()
        self.stack[-1] = self.finished(self.stack[-1], state)


def _full_name(module: str, name: str) -> str:
    """A name as Python 3 has it; files may have Python 2's."""
    old = pickle._compat_pickle  # type: ignore[attr-defined]
    module, name = old.NAME_MAPPING.get((module, name), (module, name))
    return f'{old.IMPORT_MAPPING.get(module, module)}.{name}'


def counted(load: Callable) -> Callable:
    """An instruction that counts."""

    def load_counted(self: PlainUnpickler) -> None:
        self.left -= 1
        if self.left < 0:
            raise Refused('more instructions than any such file needs')
        load(self)

    return load_counted


def _adding_to(kinds: tuple[type, ...], target: Callable, load: Callable) -> Callable:
    """An instruction that adds to an object, for objects of these kinds alone."""

    def load_adding(self: PlainUnpickler) -> None:
        if type(target(self)) not in kinds:
            raise Refused(f'something added to a {type(target(self)).__name__}')
        load(self)

    return load_adding


def check_key(key: Any) -> None:
    """Refuse what a dict or set may not be given to find again.

    Python takes the hash of tuples in tuples in native code, without a bound on their depth: a
    million of them, which are a kilobyte in a zip, end the process. Of integers and tuples of them
    a file can have as many as it likes with one hash, and each is compared with all.

    Raises:
        pickle.UnpicklingError: It is neither a text nor a number of moderate size.
    """
    if not (key is None or type(key) in (str, bytes, bool, float)
            or type(key) is int and abs(key) < LARGEST_KEY
            or type(key) is tuple and all(type(each) in (str, bytes) for each in key)):
        raise Refused(f'a key of type {type(key).__name__}')


def _with_keys(keys: Callable, load: Callable) -> Callable:
    """An instruction that adds to a dict or set, for keys that :func:`check_key` passes."""

    def load_keys(self: PlainUnpickler) -> None:
        for key in keys(self.stack):
            check_key(key)
        load(self)

    return load_keys


def _with_digits(load: Callable, most: int = DIGITS) -> Callable:
    """An instruction with an integer as text, which takes the square of its digits to read."""

    def load_digits(self: PlainUnpickler) -> None:
        readline = self.readline
        line = readline()
        if len(line) > most:
            raise Refused('an integer of too many digits')
        self.readline = lambda: line
        try:
            load(self)
        finally:
            self.readline = readline

    return load_digits


def _instructions() -> dict[int, Callable]:
    loads = dict(pickle._Unpickler.dispatch)
    for name in FORBIDDEN:
        loads.pop(getattr(pickle, name)[0])
    load = {name: loads[getattr(pickle, name)[0]] for name in (
        'INT', 'LONG', 'PUT', 'GET', 'APPEND', 'APPENDS', 'DICT', 'FROZENSET', 'SETITEM',
        'SETITEMS', 'ADDITEMS')}
    dicts, marked = (dict, OrderedDict, Counter), (lambda self: self.metastack[-1][-1])
    every, every_other = (lambda stack: stack), (lambda stack: stack[::2])
    changed = dict(
        GLOBAL=PlainUnpickler._global, REDUCE=PlainUnpickler._reduce,
        NEWOBJ=PlainUnpickler._new, BUILD=PlainUnpickler._build,
        **{name: _with_digits(load[name]) for name in ('INT', 'LONG')},
        **{name: _with_digits(load[name], PLACE_DIGITS) for name in ('PUT', 'GET')},
        APPEND=_adding_to((list,), lambda self: self.stack[-2], load['APPEND']),
        APPENDS=_adding_to((list,), marked, load['APPENDS']),
        DICT=_with_keys(every_other, load['DICT']),
        FROZENSET=_with_keys(every, load['FROZENSET']),
        SETITEM=_adding_to(dicts, lambda self: self.stack[-3],
                           _with_keys(lambda stack: stack[-2:-1], load['SETITEM'])),
        SETITEMS=_adding_to(dicts, marked, _with_keys(every_other, load['SETITEMS'])),
        ADDITEMS=_adding_to((set,), marked, _with_keys(every, load['ADDITEMS'])))
    loads.update({getattr(pickle, name)[0]: load for name, load in changed.items()})
    stop = loads.pop(pickle.STOP[0])
    return {**{code: counted(load) for code, load in loads.items()}, pickle.STOP[0]: stop}


PlainUnpickler.dispatch = _instructions()
