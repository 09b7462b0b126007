"""The two forms of ``torch.save``: a zip of records, and before torch 1.6 pickles and bytes."""
import struct
import zipfile
import zlib
from abc import abstractmethod
from io import BytesIO
from typing import IO, Any

import torch

from .checkpoint_values import NAMES, STATES, Storage, check_plain
from .plain_unpickler import OPERATIONS, Named, PlainUnpickler, Refused

CHUNK = 2**24
EXPANSION, SMALL = 20, 2**26  # compressed records may be so many times the file, or so many bytes
FEW_OPERATIONS = 500_000  # of a small file; each may take a few hundred bytes
MAGIC, VERSION = 0x1950a86a20f9469cfc6c, 1001  # of the older form
LOCAL_HEADER = struct.Struct('<26xHH')


class CheckpointFile:
    """A file whose pickle refers to storages.

    Args:
        file: Opened at its beginning.
        size: Its bytes.
        place: Where tensors are put; on ``meta`` they have shapes alone.
    """

    def __init__(self, file: IO[bytes], size: int, place: torch.device) -> None:
        self.file, self.size, self.place = file, size, place
        self.storages: dict[str, torch.UntypedStorage] = {}

    @abstractmethod
    def read(self) -> Any:
        """What the file holds.

        Raises:
            pickle.UnpicklingError: It holds what no checkpoint does.
        """

    @abstractmethod
    def memory(self, key: str, count: int) -> torch.UntypedStorage:
        """A storage of so many bytes, by its name in the file."""

    def storage(self, pid: Any) -> Storage:
        """The storage that a pickle asks for."""
        if (type(pid) is not tuple or len(pid) not in (5, 6)
                or pid[0] not in ('storage', b'storage')
                or not isinstance(pid[1], Named) or not pid[1].name.endswith('Storage')
                or type(pid[2]) is not str or type(pid[4]) is not int or pid[4] < 0
                or any(part is not None for part in pid[5:])):
            raise Refused('an object outside of it')
        _, kind, key, _, length = pid[:5]
        count = length * (kind.value.itemsize if kind.value else 1)
        if key not in self.storages:
            self.storages[key] = self.memory(key, count)
        if self.storages[key].nbytes() != count:
            raise Refused(f'storage {key[:20]!r} of two sizes')
        return Storage(self.storages[key], kind.value)


class _Unpickler(PlainUnpickler):
    """Knows what checkpoints hold; see ``checkpoint_values``."""

    def __init__(self, file: Any, owner: CheckpointFile) -> None:
        super().__init__(file, NAMES, min(OPERATIONS, FEW_OPERATIONS + owner.size))
        self.owner = owner

    def persistent_load(self, pid: Any) -> Storage:
        return self.owner.storage(pid)

    def finished(self, value: Any, state: Any) -> Any:
        set_state = STATES.get(type(value))
        return set_state(value, state) if set_state else super().finished(value, state)


class ZipCheckpoint(CheckpointFile):
    """A zip with a folder of records; they may be compressed, and each must have its checksum.

    Args:
        mapped: A path to map the storages from where they lie in the file as they are, so that
            weights that are not used take no memory.
    """

    def __init__(self, file: IO[bytes], size: int, place: torch.device,
                 mapped: str | None = None) -> None:
        super().__init__(file, size, place)
        self.zip = zipfile.ZipFile(file)
        self.records = check_records(self.zip.infolist(), size)
        tops = [name[:-len('data.pkl')] for name in self.records
                if name.endswith('/data.pkl') and name.count('/') == 1]
        if any(name.endswith('/constants.pkl') for name in self.records):
            raise Refused('a TorchScript archive, which may hold code')
        if len(tops) != 1:
            raise Refused('a zip without the records of a checkpoint')
        self.top = tops[0]
        self.map = torch.UntypedStorage.from_file(mapped, False, size) if mapped else None

    def read(self) -> Any:
        """See :meth:`CheckpointFile.read`."""
        order = f'{self.top}byteorder'
        if order in self.records and self.zip.read(order) != b'little':
            raise Refused('numbers in another order of bytes')
        with BytesIO(self.zip.read(f'{self.top}data.pkl')) as file:
            content = _Unpickler(file, self).load()
        check_plain(content)
        return content

    def memory(self, key: str, count: int) -> torch.UntypedStorage:
        """See :meth:`CheckpointFile.memory`."""
        record = self.records.get(f'{self.top}data/{key}')
        if record is None or record.file_size != count:
            raise Refused(f'storage {key[:20]!r} of {count} bytes, where the file has '
                          f'{record.file_size if record else "none"}')
        if self.place.type == 'meta':
            return torch.UntypedStorage(count, device='meta')
        return self._mapped(record) or self._copied(record).to(self.place).untyped_storage()

    def _copied(self, record: zipfile.ZipInfo) -> torch.Tensor:
        memory = torch.empty(record.file_size, dtype=torch.uint8)
        view, done = memoryview(memory.numpy()), 0
        with self.zip.open(record) as file:  # checks the sum at the end
            while chunk := file.read(CHUNK):
                view[done:done + len(chunk)] = chunk
                done += len(chunk)
        if done != record.file_size:
            raise Refused('a record that is cut short')
        return memory

    def _mapped(self, record: zipfile.ZipInfo) -> torch.UntypedStorage | None:
        """The record where it lies; None if it is compressed, or not on a boundary of numbers."""
        if (self.map is None or self.place.type != 'cpu' or not record.file_size
                or record.compress_type != zipfile.ZIP_STORED):
            return None
        with self.zip.open(record):  # checks its header
            self.file.seek(record.header_offset)
            lengths = LOCAL_HEADER.unpack(self.file.read(LOCAL_HEADER.size))
        start = record.header_offset + LOCAL_HEADER.size + sum(lengths)
        if start % 16 or start + record.file_size > self.size:
            return None
        memory = self.map[start:start + record.file_size]
        if zlib.crc32(memoryview(torch.empty(0, dtype=torch.uint8).set_(memory).numpy())) \
                != record.CRC:
            raise Refused(f'bad checksum of {record.filename[:40]!r}')
        return memory


def check_records(records: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The records of a zip by name.

    Raises:
        pickle.UnpicklingError: Two have one name, one is encrypted or of a size that it cannot
            have, or they are larger than the file allows for.
    """
    named = {record.filename: record for record in records}
    if len(named) != len(records):
        raise Refused('two records of one name')
    for record in records:
        stored = record.compress_type == zipfile.ZIP_STORED
        if (record.flag_bits & 1 or record.file_size < 0
                or record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                or (stored and record.compress_size != record.file_size)):
            raise Refused(f'record {record.filename[:40]!r}, which cannot be unpacked')
    if (sum(record.compress_size for record in records) > size
            or sum(record.file_size for record in records) > EXPANSION * size + SMALL):
        raise Refused('records larger than the file')
    return named


class OldCheckpoint(CheckpointFile):
    """Four pickles, the names of the storages, and their bytes one after the other."""

    taken = 0  # bytes of the storages so far

    def read(self) -> Any:
        """See :meth:`CheckpointFile.read`."""
        if self._load() != MAGIC or self._load() != VERSION:
            raise Refused('neither a zip nor the older form of a checkpoint')
        self._load()  # of the machine that wrote it
        content = self._load()
        check_plain(content)
        keys = self._load()
        if (type(keys) is not list or any(type(key) is not str for key in keys)
                or sorted(keys) != sorted(self.storages)):
            raise Refused('other storages than its tensors need')
        for key in keys:
            self._fill(self.storages[key], *struct.unpack('<q', self.file.read(8)))
        if self.place.type == 'cpu':
            return content
        return moved(content, self.place)

    def memory(self, key: str, count: int) -> torch.UntypedStorage:
        """See :meth:`CheckpointFile.memory`."""
        self.taken += count
        if self.taken > self.size:
            raise Refused('storages larger than the file')
        return torch.UntypedStorage(count)

    def _load(self) -> Any:
        return _Unpickler(_Bounded(self.file, self.size), self).load()

    def _fill(self, memory: torch.UntypedStorage, length: int) -> None:
        view = memoryview(torch.empty(0, dtype=torch.uint8).set_(memory).numpy())
        if length > len(view) or (length == 0) != (len(view) == 0) or (length and
                                                                       len(view) % length):
            raise Refused('a storage of another length than its tensors need')
        if self.file.readinto(view) != len(view):  # type: ignore[attr-defined]
            raise Refused('a storage that is cut short')


class _Bounded:
    """A file that is not asked for more than it has: Python would take the memory first."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.size, self.readline = file, size, file.readline

    def read(self, count: int) -> bytes:
        return self.file.read(min(count, self.size - self.file.tell()))

    def readinto(self, buffer: Any) -> int:
        return self.file.readinto(buffer)  # type: ignore[attr-defined]


def moved(content: Any, place: torch.device) -> Any:
    """The same with its tensors on another device."""
    if isinstance(content, torch.Tensor):
        return content.to(place)
    if isinstance(content, dict):
        for key, value in content.items():
            content[key] = moved(value, place)
        return content
    if type(content) in (list, tuple):
        return type(content)(moved(value, place) for value in content)
    return content
