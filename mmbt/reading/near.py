"""Frames near the wanted ones that are cheaper to decode, keyframes among them.

A frame of a compressed video needs those that it refers to, back to its group's keyframe. Two
things are cheaper: a keyframe needs no other, and frames that no other refers to (about half of
those of x264's defaults) need not be decoded where they are not wanted themselves. For each
wanted frame this takes

1. the nearest keyframe, if it is within ``max_offset``;
2. else the nearest frame that others refer to, decoded from its group's keyframe; with x264's
   defaults it is one frame away at most.

Where that leaves a frame further away than ``max_offset`` it is none of this module's. Frames are
as decoded exactly, but for the smoothing of block edges in frames between others, which is left
out: it changes a colour by about half a grey level on average, in HEVC by one.
"""
from typing import Any

import numpy as np

from .feeder import Feeder, TableBroken, open_strictly
from .table import PacketTable


def near_frames(path: str, table: PacketTable, wanted: list[int],
                max_offset: int) -> dict[int, tuple[int, Any]] | None:
    """Decode frames near those wanted.

    Args:
        path: The file.
        table: Of the file.
        wanted: Numbers of frames, rising.
        max_offset: Distance in frames from a wanted frame to the one taken, at most.

    Returns:
        For each wanted number the number taken and its frame; None where the exact way must serve.
    """
    keys = _key_frames(table)
    feeder = Feeder(open_strictly(path, skip_loop_filter='bidir'), table)
    taken: dict[int, Any] = {}
    try:
        for target in sorted({_target(number, keys, max_offset) for number in wanted}):
            if target not in taken:
                taken.update(feeder.around(target))
    except TableBroken:
        return None
    finally:
        feeder.close()
    nearest = {number: min(taken, key=lambda index: abs(index - number), default=-1)
               for number in wanted}
    if any(index < 0 or abs(index - number) > max_offset or taken[index].is_corrupt
           for number, index in nearest.items()):
        return None
    return {number: (index, taken[index]) for number, index in nearest.items()}


def _key_frames(table: PacketTable) -> np.ndarray:
    """Numbers of the frames that are keys, rising."""
    return np.flatnonzero(table.is_key[table.place])


def _target(number: int, keys: np.ndarray, max_offset: int) -> int:
    """The keyframe nearest to a frame, where it is near enough; else the frame itself."""
    if not len(keys):
        return number
    nearest = int(keys[np.abs(keys - number).argmin()])
    return nearest if abs(nearest - number) <= max_offset else number
