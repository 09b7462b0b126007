"""Frames near the sampled ones that are cheaper to decode.

A frame of a compressed video needs those that it refers to, back to its group's key frame. Two
things are cheaper: a key frame needs no other, and frames that no other refers to (about half of
those of x264's defaults) need not be decoded where they are not wanted themselves. For each
sampled frame this takes

1. the nearest key frame, if it is within ``max_offset``;
2. else the nearest frame that others refer to, decoded from its group's key frame; with x264's
   defaults it is one frame away at most.

Where that leaves a frame further away than ``max_offset``, or the file is not one that can be read
so, the exact way serves. Frames are as decoded exactly, but for the smoothing of block edges in
frames between others, which is left out: it changes a colour by less than half a grey level on
average.
"""
from bisect import bisect_right
from typing import Any, Optional

import numpy as np


def near_frames(results: dict, sample: Any, max_offset: int,
                max_pixels: Optional[int] = None) -> Optional[dict]:
    """Sample frames of the video ``filename`` and read cheap ones near them.

    Args:
        results (dict): Holds ``filename``, ``start_index`` and ``modality``.
        sample (UniformSample): Chooses ``frame_inds`` from ``total_frames``.
        max_offset (int): Distance in frames from a sampled frame to the one taken, at most.
        max_pixels (int, optional): Of all frames to read, at most. Defaults to None: no limit.

    Returns:
        Optional[dict]: ``results`` with the frames; None where the exact way must serve, and then
        no random number has been drawn that it would not draw again.
    """
    import av
    state = np.random.get_state()
    try:
        with av.open(results['filename']) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate
            if max_pixels is not None and (
                    stream.width * stream.height * sample.clip_len > max_pixels):
                return None
            packets = [packet for packet in container.demux(stream)
                       if packet.pts is not None and not packet.is_discard]
            if len(packets) > 1 and packets[0].is_keyframe:
                found = dict(results, total_frames=len(packets), avg_fps=float(rate or 0))
                found = sample.transform(found)
                if _take(found, stream.codec_context, packets, max_offset):
                    return found
    except (av.error.FFmpegError, IndexError):
        pass  # the exact way says what is wrong with the file
    np.random.set_state(state)
    return None


def _take(results: dict, decoder: Any, packets: list, max_offset: int) -> bool:
    """Put the frames near ``frame_inds`` into ``results``; whether all are near enough."""
    times = sorted(packet.pts for packet in packets)
    keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    place_of_time = {time: index for index, time in enumerate(times)}
    key_frames = [place_of_time[packets[place].pts] for place in keys]
    if key_frames != sorted(set(key_frames)):
        return False
    wanted = np.squeeze(results['frame_inds']).reshape(-1).tolist()
    groups: dict[int, list[int]] = {}  # a group's number -> the frames wanted of it
    for frame in wanted:
        nearest = min(key_frames, key=lambda key: abs(key - frame))
        target = nearest if abs(nearest - frame) <= max_offset else frame
        groups.setdefault(max(bisect_right(key_frames, target) - 1, 0), []).append(target)

    decoder.thread_count, decoder.skip_frame = 1, 'NONREF'
    decoder.options = dict(skip_loop_filter='bidir')
    taken: dict[int, Any] = {}
    for group, targets in groups.items():
        last = keys[group + 1] if group + 1 < len(keys) else len(packets)
        taken.update(_decode(decoder, packets[keys[group]:last], targets, place_of_time))
    inds = [min(taken, key=lambda index: abs(index - frame), default=-1) for frame in wanted]
    if any(index < 0 or abs(index - frame) > max_offset for index, frame in zip(inds, wanted)):
        return False
    imgs = {index: taken[index].to_ndarray(format='rgb24') for index in set(inds)}
    results['imgs'] = [imgs[index] for index in inds]
    results['frame_inds'] = np.array(inds, results['frame_inds'].dtype)
    results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
    return True


def _decode(decoder: Any, packets: list, targets: list, place_of_time: dict) -> dict:
    """Decode a group from its key frame; return the frames before and after each target."""
    decoder.flush_buffers()
    kept: dict[int, Any] = {}
    before, left = None, sorted(set(targets))
    first, last = place_of_time[packets[0].pts], left[-1]
    if last == first:  # the key frame alone
        packets = packets[:1]
    for packet in [*packets, None]:
        for frame in decoder.decode(packet):
            index = place_of_time.get(frame.pts, -1)
            if index < first:
                continue
            while left and index >= left[0]:
                kept[index] = frame
                if before is not None:
                    kept[before[0]] = before[1]
                left.pop(0)
            if not left:
                return kept
            before = index, frame
    if before is not None:
        kept[before[0]] = before[1]
    return kept
