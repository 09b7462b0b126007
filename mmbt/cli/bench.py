"""Measure speed and memory against the machine's own limit.

    mmbt bench train --batch 1 2 4 --mask-ratio 0 0.7
    mmbt bench infer
    mmbt bench memory
    mmbt bench data
    mmbt bench search
    mmbt bench index --windows 1000000
    mmbt bench moments --demo work_dirs/demo

The limit of train and infer is the best rate of matrix products, measured around the timed steps;
lists of values give a row for each combination. memory tells what a training step would hold on a
GPU, or with --infer the encoding of videos, and needs none. data times the reading of clips on one
core, in every way, against the pipeline of the released configs. search indexes videos and asks for
texts beside open_clip and faiss on frames, written plainly. index fills an index of moments and
times what people wait for, beside NumPy and faiss. moments makes films of ten minutes of the demo's
test clips, and tells how many of them the demo's models find there, and when.
"""
import argparse
from typing import Any

TRACES = 'work_dirs/benchmark'
PEERS = ('numpy', 'faiss-flat', 'faiss-ivf', 'faiss-hnsw')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is measured, and of what."""
    commands = parser.add_subparsers(dest='command', required=True)
    train = commands.add_parser('train', help='time training steps')
    add_model_flags(train)
    add_training_flags(train)
    add_timing_flags(train)
    infer = commands.add_parser('infer', help='time the encoding of videos')
    add_model_flags(infer)
    add_timing_flags(infer)
    infer.set_defaults(mask_ratio=[None], tokens=None)
    memory = commands.add_parser('memory', help='what a GPU would hold, found without one')
    add_model_flags(memory)
    add_training_flags(memory)
    memory.add_argument('--infer', action='store_true', help='of encoding, not of training')
    data = commands.add_parser('data', help='time the reading of clips')
    data.add_argument('--clips', type=int, default=8, help='clips to generate of each kind')
    data.add_argument('--repeats', type=int, default=5, help='times to read each in each way')
    data.add_argument('--seconds', type=float, default=15, help='length of a clip')
    data.add_argument('--max-offset', type=int, default=4,
                      help='frames that the approximate way may be off')
    data.add_argument('--json', metavar='FILE', help='write everything to a file')
    search = commands.add_parser('search', help='time search beside open_clip and faiss')
    search.add_argument('--arch', default='ViT-B-16', help="open_clip's name")
    search.add_argument('--videos', metavar='FOLDER', help='.mp4 files; default: six are made')
    search.add_argument('--json', metavar='FILE', help='write everything to a file')
    index = commands.add_parser('index', help='time an index of moments beside NumPy and faiss')
    index.add_argument('--windows', type=int, default=1_000_000, help='default: a million')
    index.add_argument('--width', type=int, default=512, help='of an embedding; default: 512')
    index.add_argument('--peers', nargs='*', choices=PEERS, default=PEERS[:3], metavar='NAME',
                       help=f"of {', '.join(PEERS)}; default: the first three")
    index.add_argument('--folder', default='work_dirs/benchmark/index', metavar='DIR',
                       help='a new one, removed at the end; 4 kB a window of 512')
    index.add_argument('--json', metavar='FILE', help='write everything to a file')
    moments = commands.add_parser('moments', help='how well moments of known films are found')
    moments.add_argument('--demo', default='work_dirs/demo', metavar='DIR',
                         help='what `mmbt demo` wrote; default: work_dirs/demo')
    moments.add_argument('--seed', type=int, default=0, help='of the films; default: 0')
    moments.add_argument('--json', metavar='FILE', help='write everything to a file')


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of a model and its batch."""
    parser.add_argument('--arch', default='ViT-L-14-quickgelu',
                        help="open_clip's name, or a JSON file with an architecture dict")
    parser.add_argument('--variant', choices=['paper', 'released'], default='paper')
    parser.add_argument('--precision', choices=['fp32', 'bf16'], nargs='+', default=['fp32'])
    parser.add_argument('--batch', type=int, nargs='+', default=[2], help='clips of a step')
    parser.add_argument('--frames', type=int, nargs='+', default=[8], help='frames of a clip')
    parser.add_argument('--layers', type=int, nargs='+', default=[4], help='layers of the branch')
    parser.add_argument('--json', metavar='FILE', help='write everything to a file')


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of a training step."""
    parser.add_argument('--mask-ratio', type=float, nargs='+', default=[0.7],
                        help='share of patches that the branch does not see')
    parser.add_argument('--tokens', type=int, default=32, help='tokens of a caption')


def add_timing_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of what is timed."""
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: cuda where there is')
    parser.add_argument('--steps', type=int, default=10, help='timed steps')
    parser.add_argument('--warmup', type=int, default=2, help='steps before them')
    parser.add_argument('--compile', action='store_true', help='time the compiled forward too')
    parser.add_argument('--profile', nargs='?', const=TRACES, metavar='DIR',
                        help=f'profile two steps and write a trace to DIR (default: {TRACES})')


def run(args: argparse.Namespace) -> None:
    """Measure and show it."""
    from mmbt.files.atomic import check_place
    if args.json is not None:
        check_place(args.json)
    dict(train=benchmark, infer=benchmark, memory=benchmark_memory,
         data=benchmark_data, search=benchmark_search, index=benchmark_index,
         moments=benchmark_moments)[args.command](args)


def benchmark(args: argparse.Namespace) -> None:
    """Run the rows and show them."""
    import torch

    from mmbt.lab.benchmark.report import as_text, write_json
    from mmbt.lab.benchmark.run import run_benchmark

    rows = rows_of(args, command=args.command, steps=args.steps, warmup=args.warmup,
                   device=args.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    report = run_benchmark(
        rows, compile=args.compile, profile_dir=args.profile,
        progress=lambda report: write_json(report, args.json))
    print(as_text(report))


def rows_of(args: argparse.Namespace, **shared: Any) -> list:
    """A row's settings for each combination of the lists."""
    from mmbt.lab.benchmark.settings import read_arch, sweep

    lists = {name: getattr(args, name)
             for name in ('precision', 'layers', 'frames', 'mask_ratio', 'batch')}
    return list(sweep(lists, arch=read_arch(args.arch), variant=args.variant, tokens=args.tokens,
                      **shared))


def benchmark_memory(args: argparse.Namespace) -> None:
    """Find what a GPU would hold and show it."""
    import mmbt  # noqa: F401  registers the models
    from mmbt.lab.benchmark.memory import estimate_memory, memory_as_text
    from mmbt.lab.benchmark.report import write_json

    if args.infer:
        args.mask_ratio, args.tokens = [None], None
    rows = rows_of(args, command='infer' if args.infer else 'train', device='cpu', steps=1,
                   warmup=0)
    report = estimate_memory(rows, progress=lambda report: write_json(report, args.json))
    print(memory_as_text(report))


def benchmark_data(args: argparse.Namespace) -> None:
    """Time the reading of clips and show it."""
    import mmbt  # noqa: F401  registers the transforms
    from mmbt.lab.benchmark.data import data_as_text, run_data_benchmark
    from mmbt.lab.benchmark.report import write_json

    report = run_data_benchmark(clips=args.clips, repeats=args.repeats, seconds=args.seconds,
                                max_offset=args.max_offset)
    write_json(report, args.json)
    print(data_as_text(report))


def benchmark_search(args: argparse.Namespace) -> None:
    """Time search beside a plain one and show it."""
    import mmbt  # noqa: F401  registers the models
    from mmbt.lab.benchmark.report import write_json
    from mmbt.lab.benchmark.searching import measure_search, search_as_text

    report = measure_search(args.arch, folder=args.videos)
    write_json(report, args.json)
    print(search_as_text(report))


def benchmark_index(args: argparse.Namespace) -> None:
    """Time an index and its peers and show it."""
    import sys
    from pathlib import Path

    from mmbt.lab.benchmark.index_report import index_as_text, run_index_benchmark
    from mmbt.lab.benchmark.report import write_json

    found = run_index_benchmark(Path(args.folder), args.windows, args.width, list(args.peers),
                                lambda line: print(line, file=sys.stderr, flush=True))
    write_json(found, args.json)
    print(index_as_text(found))


def benchmark_moments(args: argparse.Namespace) -> None:
    """Look for the moments of films and show what was found."""
    from pathlib import Path

    from mmbt.lab.benchmark.moments import measure_moments, moments_as_text
    from mmbt.lab.benchmark.report import write_json

    report = measure_moments(Path(args.demo), args.seed)
    write_json(report, args.json)
    print(moments_as_text(report))
