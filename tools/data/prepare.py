"""Prepare a data set: ``python tools/data/prepare.py NAME --annotations FILE [...]``.

It turns the annotation files as they are published into the lists that the configs read, looks
which videos are there, and reports counts beside the official ones. docs/data.md says what each
set needs. What is wrong with the input is said in one line; ``MMBT_TRACEBACK=1`` shows where.
"""
import argparse


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Prepare the published files of a data set')
    parser.add_argument('name', metavar='NAME', help='webvid, msrvtt, didemo, lsmdc, activitynet, '
                        'msvd, kinetics400, hmdb51 or ucf101')
    parser.add_argument('--annotations', nargs='+', required=True, metavar='FILE',
                        help='the published files, or a folder of them')
    parser.add_argument('--videos', metavar='FOLDER', help='files, or folders of frames; '
                        'OUT/videos where it is not given')
    parser.add_argument('--out', metavar='FOLDER', help='data/NAME where it is not given')
    parser.add_argument('--split', help='what the files hold: test (default), val or train')
    parser.add_argument('--drop-missing', action='store_true',
                        help='leave out videos that are not there')
    return parser.parse_args()


def main() -> None:
    """Prepare and say what there is."""
    args = parse_args()
    from mmbt.datasets.preparation import prepare
    from mmbt.engine.launch import run_tool

    def work() -> None:
        for counts in prepare(args.name, args.annotations, args.videos, args.out, args.split,
                              args.drop_missing):
            print('\n'.join(counts.lines()))

    run_tool(work)


if __name__ == '__main__':
    main()
