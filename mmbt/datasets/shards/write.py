"""Write shards, in parallel and so that a kill costs the unfinished ones only."""
import hashlib
import io
import json
import multiprocessing
import os
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import read_json
from mmbt.files.lock import Lock
from mmbt.files.shown import ANY_NAME
from mmbt.reading import VideoReadError

from ..transforms.reading import ReadFrames
from ..transforms.sampling import ROUNDING, times_of
from .layout import BROKEN, MANIFEST, SETTINGS, index_path, shard_name
from .settings import ShardSettings

FORMAT = 1
POLL = 0.5  # seconds


class FixedRate:
    """Samples ``fps`` frames of each second, in place of MMAction2's ``UniformSample``.

    Of a video with times the nearest to each 1 / fps seconds.
    """

    def __init__(self, fps: float) -> None:
        self.fps = fps

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds``; frames without times are taken to be ``fps`` a second."""
        times, seconds = times_of(results)
        step = 1 / self.fps if 'times' in results else 1.
        at = np.arange(0, seconds, step)
        middles = (times[1:] + times[:-1]) / 2
        inds = np.unique(np.searchsorted(middles, at - ROUNDING)).astype(np.int32)
        results.update(frame_inds=inds, clip_len=len(inds), num_clips=1, frame_interval=None)
        return results


def read_frames(sample: dict, reader: ReadFrames, settings: ShardSettings) -> tuple[dict, list]:
    """Read a video's frames to keep.

    Returns:
        What is known of the clip, and its frames as JPEGs.

    Raises:
        VideoReadError: If it cannot be read.
    """
    results = reader(dict(filename=sample['filename']))
    inds, places = np.unique(results['frame_inds'], return_index=True)
    imgs = [_shrink(results['imgs'][place], settings.short_side) for place in places[:len(inds)]]
    jpegs = [encode(img, settings.quality) for img in imgs]
    clip = dict(video_id=sample['video_id'], captions=list(sample['captions']),
                total_frames=int(results['total_frames']), stored_inds=inds.tolist(),
                avg_fps=float(results.get('avg_fps', 0.)), stored_shape=imgs[0].shape[:2],
                sizes=[len(jpeg) for jpeg in jpegs], crc32=[zlib.crc32(jpeg) for jpeg in jpegs])
    return clip, jpegs


def _shrink(img: np.ndarray, short_side: int) -> np.ndarray:
    """Shrink a picture (H, W, 3) to a short side; a smaller one stays."""
    height, width = img.shape[:2]
    ratio = short_side / min(height, width)
    if not short_side or ratio >= 1:
        return img
    size = int(width * ratio + 0.5), int(height * ratio + 0.5)
    return cv2.resize(img, size, interpolation=cv2.INTER_AREA)


def encode(img: np.ndarray, quality: int) -> bytes:
    """An RGB picture as a JPEG."""
    _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(img, cv2.COLOR_RGB2BGR),
                           [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg.tobytes()


class _Hashed:
    """A file to write to that knows the sha256 and the number of its bytes."""

    def __init__(self, file: Any) -> None:
        self.file, self.hash, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.size


def write_shard(path: Path, clips: Iterator[tuple[int, dict, list]]) -> dict:
    """Write a tar file, whole or not at all.

    Args:
        path: The tar file.
        clips: Row, json and JPEGs of each clip.

    Returns:
        ``clips``, ``bytes``, ``sha256``, ``offsets``.
    """
    offsets = []
    with whole_file(path) as draft, open(draft, 'wb') as file:
        out: Any = _Hashed(file)
        with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as tar:
            for row, clip, jpegs in clips:
                offsets.append(tar.offset)
                _add(tar, f'{row:09}.json', json.dumps(clip, ensure_ascii=False).encode(
                    'utf-8', 'surrogatepass'))
                for number, jpeg in enumerate(jpegs):
                    _add(tar, f'{row:09}.{number:02}.jpg', jpeg)
    return dict(clips=len(offsets), bytes=out.size, sha256=out.hash.hexdigest(), offsets=offsets)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


class _Worker:
    """What a worker process holds: the source, the settings and the common count of rows."""

    source: Any
    settings: ShardSettings
    out: Path
    verify: bool
    done: Any
    reader: ReadFrames


def _start_process(*args: Any) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(), ), daemon=True).start()
    cv2.setNumThreads(1)
    _start(*args)


def _start(source: Any, settings: ShardSettings, out: Path, verify: bool, done: Any) -> None:
    reader = ReadFrames(settings.frames, test_mode=True)
    if settings.fps is not None:
        reader.sample = FixedRate(settings.fps)
    _Worker.source, _Worker.settings, _Worker.out, _Worker.verify = source, settings, out, verify
    _Worker.done, _Worker.reader = done, reader


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which a kill gives no chance to say so."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os._exit(1)


def _count(rows: int) -> None:
    with _Worker.done.get_lock():
        _Worker.done.value += rows


def _make(number: int) -> dict:
    """Make one shard, or find it made; return what the manifest says of it."""
    clips, path = _Worker.settings.clips, _Worker.out / shard_name(number)
    rows = range(number * clips, min((number + 1) * clips, len(_Worker.source)))
    made = finished(path, _Worker.verify)
    if made is None:
        broken: list[list[str]] = []
        made = dict(write_shard(path, _clips(rows, broken)), broken=broken)
        with whole_file(index_path(str(path))) as draft:
            draft.write_text(json.dumps(made), encoding='utf-8')
    else:
        _count(len(rows))
    return dict(name=path.name, **{key: made[key] for key in ('clips', 'bytes', 'sha256',
                                                              'broken')})


def _clips(rows: range, broken: list) -> Iterator[tuple[int, dict, list]]:
    for row in rows:
        sample = _Worker.source.get_data_info(row)
        try:
            clip, jpegs = read_frames(sample, _Worker.reader, _Worker.settings)
        except VideoReadError as error:
            broken.append([sample['video_id'], str(error)])
        else:
            yield row, clip, jpegs
        _count(1)


def finished(path: Path, verify: bool) -> dict | None:
    """What is known of a shard that is whole; None for one to be made.

    Args:
        path: The tar file.
        verify: Read it and compare its hash, not its size alone.
    """
    try:
        made = json.loads(Path(index_path(str(path))).read_text(encoding='utf-8'))
        if path.stat().st_size != made['bytes']:
            return None
        if verify and _file_hash(path) != made['sha256']:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return made


def _file_hash(path: Path) -> str:
    """The sha256 of a file."""
    total = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2**20), b''):
            total.update(block)
    return total.hexdigest()


def make_shards(source: Any, out: str, settings: ShardSettings, workers: int = 1,
                verify: bool = False, progress: Callable[[int], None] | None = None) -> dict:
    """Make a data set into shards; what a killed run finished is kept.

    Args:
        source: The videos.
        out: The folder to write to.
        settings: How.
        workers: Processes.
        verify: Read the shards that are there and compare their hashes, not only their sizes.
        progress: Called with the number of rows done so far.

    Returns:
        The manifest.

    Raises:
        ValueError: If the folder holds shards of other settings or of another annotation, if
            another process writes to it, if no video can be read, or if a worker was killed.
        OSError: If it cannot be written to.
    """
    folder = Path(out)
    with Lock(folder / 'shards.lock', out):
        return _make_shards(source, folder, settings, workers, verify, progress)


def _make_shards(source: Any, folder: Path, settings: ShardSettings, workers: int, verify: bool,
                 progress: Callable[[int], None] | None) -> dict:
    described = dict(asdict(settings), format=FORMAT, rows=len(source),
                     annotation=_file_hash(Path(source.ann_file)), form=source.form,
                     join_captions=source.join_captions)
    check_settings(folder / SETTINGS, described)
    shards = run(source, folder, settings, workers, verify, progress or (lambda done: None))
    broken = [entry for shard in shards for entry in shard.pop('broken')]
    with whole_file(folder / BROKEN) as draft:
        draft.write_text(''.join(f'{video}\t{reason}\n' for video, reason in broken), 'utf-8',
                         ANY_NAME)
    shards = [shard for shard in shards if shard['clips']]
    if not shards:
        raise ValueError(f'none of {len(source)} videos could be read, the first: {broken[0][1]}')
    manifest = dict(settings=described, clips=sum(shard['clips'] for shard in shards),
                    broken=len(broken), bytes=sum(shard['bytes'] for shard in shards),
                    shards=shards)
    with whole_file(folder / MANIFEST) as draft:
        draft.write_text(json.dumps(manifest, indent=1) + '\n', encoding='utf-8')
    return manifest


def check_settings(path: Path, settings: dict) -> None:
    """Refuse to mix shards of different settings in one folder.

    Raises:
        ValueError: If the folder's settings are others; it names one.
    """
    if path.is_file():
        before = read_json(path, dict, 'file of settings')
        for key, value in settings.items():
            if before.get(key) != value:
                raise ValueError(f'{path.parent} holds shards with {key} {before.get(key)}, not '
                                 f'{value}: write to another folder')
    else:
        with whole_file(path) as draft:
            draft.write_text(json.dumps(settings, indent=1) + '\n', encoding='utf-8')


def run(source: Any, out: Path, settings: ShardSettings, workers: int, verify: bool,
        progress: Callable[[int], None]) -> list[dict]:
    """Make every shard, in this process or in workers; return what each is, in order."""
    # Forked workers share the annotations' memory.
    forks = 'fork' in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context('fork' if forks else None)
    done = context.Value('q', 0)
    numbers = range(-(-len(source) // settings.clips))
    arguments = (source, settings, out, verify, done)
    if workers == 1:
        _start(*arguments)
        shards = []
        for number in numbers:
            shards.append(_make(number))
            progress(done.value)
        return shards
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # a fork does not take OpenCV's threads along, and would wait for them
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_process,
                                 initargs=arguments) as pool:
            return _gather([pool.submit(_make, number) for number in numbers], done, progress)
    finally:
        cv2.setNumThreads(threads)


def _gather(futures: list, done: Any, progress: Callable[[int], None]) -> list[dict]:
    """Wait for all shards and tell the progress; the first error ends the run."""
    left = set(futures)
    try:
        while left:
            ended, left = wait(left, timeout=POLL, return_when=FIRST_COMPLETED)
            progress(done.value)
            for future in ended:
                future.result()
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise ValueError('a worker was killed, for want of memory? Run again with fewer '
                         'workers: finished shards are kept') from None
    finally:
        for future in left:
            future.cancel()
