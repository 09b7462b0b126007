"""Where things lie in a folder of shards, and reading a clip by its offset.

``manifest.json`` lists the shards. ``shard-000000.tar`` holds for each clip ``000000000.json`` and
its frames ``000000000.00.jpg`` ..., which is WebDataset's form; ``shard-000000.json`` beside it
says where each clip begins. A clip's json comes first and has its frames' sizes, so that any frame
is found without reading another.
"""
import json
import os
import os.path as osp
import tarfile
from array import array
from collections.abc import Iterable

import numpy as np

from mmbt.reading import VideoReadError

from ..annotations import load_json
from ..compact import Lazy

MANIFEST, SETTINGS, BROKEN = 'manifest.json', 'settings.json', 'broken.txt'
BLOCK = tarfile.BLOCKSIZE
FIRST_READ = 4096  # bytes: a clip's first header and, nearly always, all of its json


def shard_name(number: int) -> str:
    """The name of a shard's tar file."""
    return f'shard-{number:06}.tar'


def index_path(tar: str) -> str:
    """The file that says where the clips of a tar file begin."""
    return f'{osp.splitext(tar)[0]}.json'


def padded(size: int) -> int:
    """The bytes that a member's content of ``size`` bytes takes in a tar file."""
    return -(-size // BLOCK) * BLOCK


def read_ranges(path: str, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the bytes at each (offset, size) of a file, fewer where the file ends."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise VideoReadError(f'{path} cannot be opened: {error.strerror}') from error
    try:
        return [os.pread(file, size, offset) for offset, size in ranges]
    except OSError as error:
        raise VideoReadError(f'{path} cannot be read: {error.strerror}') from error
    finally:
        os.close(file)


def read_clip(tar: str, offset: int) -> dict:
    """Return the json of the clip at ``offset``, with ``frame_ranges``: (offset, size) of each.

    Raises:
        VideoReadError: If no clip begins there.
    """
    head, = read_ranges(tar, [(offset, FIRST_READ)])
    try:
        member = tarfile.TarInfo.frombuf(head[:BLOCK], 'utf-8', 'surrogateescape')
        text = head[BLOCK:BLOCK + member.size]
        if len(text) < member.size:
            text, = read_ranges(tar, [(offset + BLOCK, member.size)])
        clip = json.loads(text)
        sizes = clip.pop('sizes')
    except (tarfile.TarError, ValueError, KeyError, AttributeError):
        raise VideoReadError(f'{tar} has no clip at byte {offset}: damaged, copy or make it '
                             'again') from None
    ends = offset + BLOCK + padded(member.size) + np.cumsum([BLOCK + padded(s) for s in sizes])
    clip['frame_ranges'] = [(int(end) - padded(size), size) for end, size in zip(ends, sizes)]
    return dict(clip, filename=f'{tar}/{osp.splitext(member.name)[0]}', shard=tar)


class ClipTable(Lazy):
    """The clips of a folder of shards, read when they are asked for.

    Args:
        manifest (str): The path of ``manifest.json``; the shards lie beside it.

    Raises:
        FileNotFoundError: If the manifest or a shard is missing.
        ValueError: If the manifest is malformed or a shard has another size.
    """

    def __init__(self, manifest: str) -> None:
        folder = osp.dirname(manifest)
        shards = load_json(manifest, dict).get('shards')
        if not isinstance(shards, list) or not shards:
            raise ValueError(f"{manifest} lists no 'shards': is it make_shards.py's manifest?")
        self._paths: list[str] = []
        self._starts, offsets = [0], array('q')
        for shard in shards:
            path = osp.join(folder, shard['name'])
            if not osp.isfile(path):
                raise FileNotFoundError(f'shard {path} is missing: copy it, or run make_shards.py '
                                        'again')
            if osp.getsize(path) != shard['bytes']:
                raise ValueError(f"{path} has {osp.getsize(path)} bytes, expected "
                                 f"{shard['bytes']}: copy it, or run make_shards.py again")
            index = load_json(index_path(path), dict)
            if len(index.get('offsets', ())) != shard['clips']:
                raise ValueError(f"{index_path(path)} does not have the {shard['clips']} clips of "
                                 'the manifest: copy it, or run make_shards.py again')
            offsets.extend(index['offsets'])
            self._paths.append(path)
            self._starts.append(len(offsets))
        self._offsets = np.frombuffer(offsets, np.int64)

    def __len__(self) -> int:
        return len(self._offsets)

    def _entry(self, index: int) -> dict:
        shard = int(np.searchsorted(self._starts, index, side='right')) - 1
        return read_clip(self._paths[shard], int(self._offsets[index]))
