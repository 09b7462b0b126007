"""Generate the moving-shapes world, a small video-text data set that needs no download."""
import argparse
import sys
import time

from tqdm import tqdm


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', help='folder to write to')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--train', type=int, default=2000, help='number of training videos')
    parser.add_argument('--test', type=int, default=240,
                        help='number of test videos, a multiple of 12')
    parser.add_argument('--stills', type=int, default=8000, help='number of still pictures')
    parser.add_argument('--size', type=int, default=64,
                        help='side of the pictures in pixels, a multiple of 32')
    parser.add_argument('--held-out-words', action='store_true',
                        help='no pink, no cyan and no moons in training videos')
    parser.add_argument('--workers', type=int, default=2)
    return parser.parse_args()


def make(args: argparse.Namespace) -> None:
    """Write the world, and say how long it took."""
    from mmbt.lab.world import generate_world
    start = time.perf_counter()
    # On a terminal the bar moves smoothly; in a log it adds a line every few seconds.
    with tqdm(desc='moving shapes', unit='item',
              mininterval=0.1 if sys.stderr.isatty() else 5) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        written = generate_world(args.out, seed=args.seed, train=args.train, test=args.test,
                                 stills=args.stills, size=args.size, workers=args.workers,
                                 held_out_words=args.held_out_words, progress=show)
    if written:
        print(f'wrote {args.out} in {time.perf_counter() - start:.1f} s')
    else:
        print(f'{args.out} already holds this world')


def main() -> None:
    """Make a world."""
    args = parse_args()
    from mmbt.engine.launch import run_tool
    run_tool(lambda: make(args))


if __name__ == '__main__':
    main()
