"""Where things lie in a folder of shards, and reading a clip by its offset.

``manifest.json`` lists the shards. ``shard-000000.tar`` holds for each clip ``000000000.json`` and
its frames ``000000000.00.jpg`` ..., which is WebDataset's form; ``shard-000000.json`` beside it
says where each clip begins. A clip's json comes first and has its frames' sizes, so that any frame
is found without reading another.
"""
import json
import os
import os.path as osp
import re
import tarfile
from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np

from mmbt.files.safe_load import first_line, in_line
from mmbt.reading import VideoReadError

from ..annotations import load_json
from ..compact import Lazy

MANIFEST, SETTINGS, BROKEN = 'manifest.json', 'settings.json', 'broken.txt'
BLOCK = tarfile.BLOCKSIZE
TAR = re.compile(r'[\w-][\w.-]*\.tar')
CLIP = ('video_id', 'captions', 'total_frames', 'stored_inds', 'avg_fps', 'sizes')
CHECKSUMS = 'crc32'  # of each frame; older shards have none
MOST_LISTING, MOST_JSON, MOST_JPEG = 2**28, 2**24, 2**26  # bytes
MOST_FRAMES, MOST_RATE = 2**31 - 1, 1e6
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
        end = os.fstat(file).st_size
    except OSError as error:
        raise VideoReadError(f'{path} cannot be opened: {error.strerror}') from error
    try:
        return [os.pread(file, max(min(size, end - offset), 0), offset)
                for offset, size in ranges]
    except OSError as error:
        raise VideoReadError(f'{path} cannot be read: {error.strerror}') from error
    finally:
        os.close(file)


def _read_clip(tar: str, offset: int) -> dict:
    """Return the json of the clip at ``offset``, with ``frame_ranges``: (offset, size) of each.

    Raises:
        VideoReadError: If no clip begins there.
    """
    head, = read_ranges(tar, [(offset, FIRST_READ)])
    try:
        member = tarfile.TarInfo.frombuf(head[:BLOCK], 'utf-8', 'surrogateescape')
        if not 0 < member.size <= MOST_JSON:
            raise ValueError('a json of another size than any clip has')
        text = head[BLOCK:BLOCK + member.size]
        if len(text) < member.size:
            text, = read_ranges(tar, [(offset + BLOCK, member.size)])
        clip = _checked_clip(json.loads(text))
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise VideoReadError(f'{tar} has no clip at byte {offset} ({first_line(error)}): damaged, '
                             'copy or make it again') from None
    sizes = clip.pop('sizes')
    ends = offset + BLOCK + padded(member.size) + np.cumsum([BLOCK + padded(s) for s in sizes])
    clip['frame_ranges'] = [(int(end) - padded(size), size) for end, size in zip(ends, sizes)]
    name = in_line(osp.splitext(member.name)[0])
    return dict(clip, filename=f'{tar}/{name}', shard=tar)


def _checked_clip(clip: Any) -> dict:
    """What a clip's json tells; names that no clip has are left out.

    Raises:
        ValueError: If it is not what ``make_shards`` writes.
    """
    if not isinstance(clip, dict) or any(name not in clip for name in CLIP):
        raise ValueError('a json without what a clip has')
    clip = {name: clip[name] for name in (*CLIP, CHECKSUMS) if name in clip}
    captions, rate = clip['captions'], clip['avg_fps']
    if (type(clip['video_id']) is not str or type(captions) is not list or not captions
            or any(type(text) is not str for text in captions)):
        raise ValueError('a clip without a name and captions')
    if type(rate) not in (int, float) or not 0 <= rate <= MOST_RATE:
        raise ValueError('a clip of no rate')
    total, inds, sizes = clip['total_frames'], clip['stored_inds'], clip['sizes']
    if (type(total) is not int or not 0 < total <= MOST_FRAMES or not _are_counts(inds, total - 1)
            or not _are_counts(sizes, MOST_JPEG) or len(inds) != len(sizes)
            or sorted(inds) != inds):
        raise ValueError('a clip whose frames cannot be told')
    if CHECKSUMS in clip and (not _are_counts(clip[CHECKSUMS], 2**32 - 1)
                              or len(clip[CHECKSUMS]) != len(sizes)):
        raise ValueError('a clip without a checksum of each frame')
    return clip


def _are_counts(values: Any, most: int) -> bool:
    """Whether something is a list of whole numbers from 0 to ``most``, and not empty."""
    return (type(values) is list and len(values) > 0
            and all(type(value) is int and 0 <= value <= most for value in values))


def _load_listing(path: str) -> dict:
    """The manifest, or the index of a shard.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is malformed.
    """
    if osp.isfile(path) and osp.getsize(path) > MOST_LISTING:
        raise ValueError(f'{path} has more than {MOST_LISTING:,} bytes: is it of shards?')
    try:
        return load_json(path, dict)
    except RecursionError:
        raise ValueError(f'{path} is nested too deep: is it of shards?') from None


def _check_shard(manifest: str, shard: Any) -> None:
    """Refuse an entry of the manifest that is none, or names a file outside of its folder.

    Raises:
        ValueError: If it is.
    """
    if (not isinstance(shard, dict) or type(shard.get('name')) is not str
            or not TAR.fullmatch(shard['name']) or not _are_counts([shard.get('bytes')], 2**62)
            or not _are_counts([shard.get('clips')], 10**9)):
        raise ValueError(f'{manifest} lists {in_line(str(shard), 80)!r}, which is no shard beside '
                         'it: copy it, or run make_shards.py again')


def _checked_offsets(path: str, offsets: Any, shard: dict) -> array:
    """Where the clips of a shard begin, from its index.

    Raises:
        ValueError: If they are not as many as the manifest says, or cannot begin there.
    """
    try:
        found = array('q', offsets) if type(offsets) is list else array('q')
    except (TypeError, OverflowError):
        found = array('q')
    places = np.frombuffer(found, np.int64)
    if (len(found) != shard['clips'] or (places % BLOCK).any() or (places < 0).any()
            or (places >= shard['bytes']).any() or (np.diff(places) <= 0).any()):
        raise ValueError(f"{path} does not have the {shard['clips']} clips of the manifest: copy "
                         'it, or run make_shards.py again')
    return found


class ClipTable(Lazy):
    """The clips of a folder of shards, read when they are asked for.

    Args:
        manifest: The path of ``manifest.json``; the shards lie beside it.

    Raises:
        FileNotFoundError: If the manifest or a shard is missing.
        ValueError: If the manifest is malformed or a shard has another size.
    """

    def __init__(self, manifest: str) -> None:
        folder = osp.dirname(manifest)
        shards = _load_listing(manifest).get('shards')
        if not isinstance(shards, list) or not shards:
            raise ValueError(f"{manifest} lists no 'shards': is it make_shards.py's manifest?")
        self._paths: list[str] = []
        self._starts, offsets = [0], array('q')
        for shard in shards:
            _check_shard(manifest, shard)
            path = osp.join(folder, shard['name'])
            if not osp.isfile(path):
                raise FileNotFoundError(f'shard {path} is missing: copy it, or run make_shards.py '
                                        'again')
            if osp.getsize(path) != shard['bytes']:
                raise ValueError(f"{path} has {osp.getsize(path)} bytes, expected "
                                 f"{shard['bytes']}: copy it, or run make_shards.py again")
            index = _load_listing(index_path(path))
            offsets.extend(_checked_offsets(index_path(path), index.get('offsets'), shard))
            self._paths.append(path)
            self._starts.append(len(offsets))
        self._offsets = np.frombuffer(offsets, np.int64)

    def __len__(self) -> int:
        return len(self._offsets)

    def _entry(self, index: int) -> dict:
        shard = int(np.searchsorted(self._starts, index, side='right')) - 1
        return _read_clip(self._paths[shard], int(self._offsets[index]))
