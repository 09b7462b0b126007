"""Embed a list of videos on many machines, for `mmbt search query`.

    mmbt embed videos.txt --model clip-vit-l-14 --out fragments
    mmbt embed videos.txt --model clip-vit-l-14 --out fragments --part 3/64
    mmbt embed videos.txt --model clip-vit-l-14 --out fragments --engine ray
    mmbt embed --merge fragments --index index

Without --part the same command may run any number of times at once, on any machines that see the
folder: each takes parts of the list that nobody has, also those of a machine that has died. With it
one part is done, as an array of jobs has them; --engine ray has Ray place the workers. What was
killed goes on when it is run again, and nothing is embedded twice. --merge makes an index of it.
"""
import argparse
import os
import signal
import sys
import time
from typing import Any

from .options import add_device, cores, pick_device, stdout_to_stderr

RAY_ONLY = dict(workers='--workers', gpus_per_worker='--gpus-per-worker', address='--address')
NOT_WITH_RAY = dict(part='--part', device='--device')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which videos, by which model, where to, and by whom."""
    parser.add_argument('list', nargs='?', metavar='LIST',
                        help='a text file of paths one a line, - for such lines on stdin, or a '
                        'folder')
    parser.add_argument('--model', metavar='NAME_OR_PATH',
                        help='as `mmbt.load` takes it: clip-vit-l-14, a checkpoint, a folder')
    parser.add_argument('--weights', help='the checkpoint where the model is a config')
    parser.add_argument('--clip', help="CLIP's weights for a branch without them")
    parser.add_argument('--frames', type=int, help='of a window; default: as the model says')
    parser.add_argument('--dtype', help='what the weights are cast to, such as bfloat16')
    parser.add_argument('--out', metavar='FOLDER', help='of the fragments, seen by all machines')
    parser.add_argument('--part', metavar='i/n', help='do part i of n alone, counted from 0')
    parser.add_argument('--per-part', type=int, default=100, metavar='N',
                        help='without --part: videos of a part, roughly; default: 100')
    parser.add_argument('--window', type=float, metavar='SECONDS',
                        help='length of a window; default: a frame a second')
    parser.add_argument('--stride', type=float, metavar='SECONDS',
                        help='from one window to the next; default: half a window')
    parser.add_argument('--shots', action='store_true', help='let no window reach over a cut')
    parser.add_argument('--batch-size', type=int, default=8, help='windows at a time; default: 8')
    parser.add_argument('--readers', type=int, default=min(4, cores()), metavar='N',
                        help='processes that read videos; default: 4, or as many as cores')
    parser.add_argument('--every', type=float, default=60., metavar='SECONDS',
                        help='write a fragment so often, which is what a kill may lose; '
                        'default: 60')
    parser.add_argument('--lease', type=float, default=300., metavar='SECONDS',
                        help='after which a worker that does not stir is taken for dead, the same '
                        'for all; default: 300')
    parser.add_argument('--retry', action='store_true',
                        help='try again what could not be read before')
    parser.add_argument('--no-wait', action='store_true',
                        help='end, where others have all parts that are left')
    add_device(parser)
    parser.add_argument('--engine', choices=['local', 'ray'], default='local',
                        help="who runs workers: this process alone, or Ray (pip install 'mmbt[ray]'"
                        '); default: local')
    parser.add_argument('--workers', type=int, metavar='N',
                        help='of Ray; default: as many as there is room for')
    parser.add_argument('--gpus-per-worker', type=float, metavar='G',
                        help='of Ray; default: 1 where there are any')
    parser.add_argument('--address', help='of a Ray cluster, auto for the one of this machine; '
                        'default: begin one here')
    parser.add_argument('--merge', metavar='FOLDER', help='merge the fragments of a folder')
    parser.add_argument('--index', help='the folder of the index that they are merged into')
    parser.add_argument('--partial', action='store_true',
                        help='merge what is there, although parts are missing')


def run(args: argparse.Namespace) -> None:
    """Embed, or merge."""
    if args.merge is not None:
        if args.list is not None:
            raise ValueError('--merge merges what is there: leave LIST out, and embed it first')
        if args.index is None:
            raise ValueError('--merge needs --index, the folder that the fragments are merged into')
        merge(args)
        return
    for name, what in dict(list='LIST, a file with a path a line', model='--model, such as '
                           'clip-vit-l-14', out='--out, a folder for the fragments').items():
        if getattr(args, name) is None:
            raise ValueError(f'mmbt embed needs {what} (or --merge FOLDER --index INDEX)')
    embed(args)


def embed(args: argparse.Namespace) -> None:
    """Embed the list, or the part, and say what was done."""
    is_ray = args.engine == 'ray'
    for name, flag in (NOT_WITH_RAY if is_ray else RAY_ONLY).items():
        if getattr(args, name) is not None:
            raise ValueError(f'{flag} goes {"not with" if is_ray else "with"} --engine ray: leave '
                             'it out')
    from mmbt.search.embed.listing import parse_part, read_list
    from mmbt.search.embed.output import check_new
    from mmbt.search.embed.running import Report, embed_list
    part, parts = (None, None) if args.part is None else parse_part(args.part)
    paths = read_list(args.list)
    check_new(args.out)
    before = signal.signal(signal.SIGTERM, stop)
    report = Report(pause=1. if sys.stderr.isatty() else 5.)
    start = time.monotonic()
    try:
        with stdout_to_stderr():
            if is_ray:
                from mmbt.search.embed.on_ray import LOCAL, embed_on_ray
                counts = embed_on_ray(paths, job_of(args, 'cpu', parts), args.workers,
                                      args.gpus_per_worker, args.address or LOCAL, report)
            else:
                counts = embed_list(paths, job_of(args, pick_device(args.device), parts), part,
                                    report)
    finally:
        signal.signal(signal.SIGTERM, before)
    print(counts.line(args.out, time.monotonic() - start))


def job_of(args: argparse.Namespace, device: str, parts: int | None) -> Any:
    """What the flags ask for."""
    from mmbt.search.embed.job import Job
    same = ('model', 'out', 'per_part', 'weights', 'clip', 'frames', 'dtype', 'window', 'stride',
            'shots', 'batch_size', 'readers', 'every', 'lease', 'retry')
    return Job(parts=parts, device=device, wait=not args.no_wait,
               **{name: getattr(args, name) for name in same})


def stop(number: int, frame: Any) -> None:
    """End as an error does when a scheduler takes the machine back, so that all is written."""
    sys.exit(128 + number)


def merge(args: argparse.Namespace) -> None:
    """Merge fragments into an index, and say what was done."""
    from mmbt.search.embed.merging import merge_embedded
    from mmbt.search.embed.running import Report
    from mmbt.search.jobs import build_if_due
    from mmbt.search.moment_index import MomentIndex
    if os.path.isfile(args.index):
        raise ValueError(f'--index {args.index} is a file; name a folder for the index')
    report = Report(pause=1. if sys.stderr.isatty() else 5.)
    merged = merge_embedded(args.merge, args.index, args.partial, report.fragments)
    build_if_due(MomentIndex.open(args.index))
    print(merged.line(args.index))
