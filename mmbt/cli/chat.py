"""Talk with an image dialogue model about a video.

    mmbt chat configs/dialogue/dialogue_llava_7b.py clip.mp4 --branch branch.pth

Each line that is typed is a question; an empty one, or the end of the input, ends the conversation.
With --question the answers alone are printed.
"""
import argparse
import sys
from pathlib import Path

from .options import add_cfg_options, add_device, config_of, pick_device, stdout_to_stderr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, a video, questions."""
    parser.add_argument('config', help='one of configs/dialogue/')
    parser.add_argument('video', help='a file')
    parser.add_argument('--branch', help="a branch file in the place of the config's")
    parser.add_argument('--question', nargs='+', metavar='TEXT', help='ask this, one after another')
    parser.add_argument('--by', choices=['time', 'frame'], default='time',
                        help='what the frames seen are evenly spaced in (default: time)')
    add_device(parser)
    add_cfg_options(parser, 'model.dtype=float16')


def run(args: argparse.Namespace) -> None:
    """Build the model, read the video, ask and answer."""
    from mmbt.apis import VideoChat, init_dialogue

    config = config_of(args)
    if not Path(args.video).exists():
        raise FileNotFoundError(f'{args.video} is missing')
    with stdout_to_stderr():
        model = init_dialogue(config, args.branch, pick_device(args.device))
    conversation = VideoChat(model, args.video, args.by)
    if args.question:
        for question in args.question:
            print(conversation.ask(question), flush=True)
        return
    print(f'{args.video}: {len(conversation.frames)} frames seen', file=sys.stderr)
    while question := read_line():
        try:
            print(conversation.ask(question), flush=True)
        except ValueError as error:  # such as the video's place in a question
            print(f'error: {error}', file=sys.stderr)


def read_line() -> str:
    """What is typed; nothing at the end of the input."""
    print('> ', end='', file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
