"""Convert the authors' released weights: ``python tools/convert_checkpoint.py IN OUT.pth``.

It reads pretraining files beside OpenAI's CLIP or EVA-CLIP-g, and the two files of a conversation
model, and writes ``OUT.pth`` and, beside it, ``OUT.py``, the config that the weights fit. What is
wrong with the input is said in one line; ``MMBT_TRACEBACK=1`` shows where.
"""
import argparse
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Convert the authors' released weights")
    parser.add_argument('source', metavar='IN', help='file of released weights')
    parser.add_argument('out', metavar='OUT.pth', help='checkpoint to write; OUT.py lies beside it')
    parser.add_argument(
        '--arch', metavar='ARCH.json', help="open_clip's architecture dict, where the shapes of "
        'the weights do not tell it')
    parser.add_argument(
        '--frames', type=int, help='rows of the time embedding to keep; those that training '
        'reached where it is not given (8, or 50 of conversation models)')
    return parser.parse_args()


def main() -> None:
    """Convert a file and say what went where."""
    args = parse_args()
    from mmbt.engine.launch import run_tool
    from mmbt.models.checkpoints.conversion import convert, describe

    def work() -> None:
        done = convert(args.source, args.out, CONFIGS, arch=args.arch, frames=args.frames)
        print(describe(done, args.source, args.out))

    run_tool(work)


if __name__ == '__main__':
    main()
