"""Convert the authors' released weights.

    mmbt convert IN OUT.pth

It reads pretraining files beside OpenAI's CLIP or EVA-CLIP-g, and the two files of a conversation
model, and writes OUT.pth and, beside it, OUT.py, the config that the weights fit.
"""
import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two files, and what the first does not tell."""
    parser.add_argument('source', metavar='IN', help='file of released weights')
    parser.add_argument('out', metavar='OUT.pth', help='checkpoint to write; OUT.py lies beside it')
    parser.add_argument(
        '--arch', metavar='ARCH.json', help="open_clip's architecture dict, where the shapes of "
        'the weights do not tell it')
    parser.add_argument(
        '--frames', type=int, help='rows of the time embedding to keep; those that training '
        'reached where it is not given (8, or 50 of conversation models)')


def run(args: argparse.Namespace) -> None:
    """Convert a file and say what went where."""
    from mmbt.models.checkpoints.conversion import convert, describe
    done = convert(args.source, args.out, arch=args.arch, frames=args.frames)
    print(describe(done, args.source, args.out))
