"""Talk with an image dialogue model about a video.

``python tools/chat.py configs/dialogue/dialogue_llava_7b.py clip.mp4 --branch branch.pth``

Each line that is typed is a question; an empty one, or the end of the input, ends the conversation.
With ``--question`` the answers alone are printed.
"""
import argparse
import contextlib
import sys
import warnings
from pathlib import Path


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='one of configs/dialogue/')
    parser.add_argument('video', help='a file')
    parser.add_argument('--branch', help="a branch file in the place of the config's")
    parser.add_argument('--question', nargs='+', metavar='TEXT', help='ask this, one after another')
    parser.add_argument('--by', choices=['time', 'frame'], default='time',
                        help='what the frames seen are evenly spaced in (default: time)')
    parser.add_argument('--device', help='default: cuda where there is')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        help='changes of the config, such as model.dtype=float16')
    return parser.parse_args()


def chat(args: argparse.Namespace) -> None:
    """Build the model, read the video, ask and answer."""
    import torch

    import mmbt  # noqa: F401  registers the models
    from mmbt.apis import VideoChat, init_dialogue
    from mmbt.engine.launch import load_config

    config = load_config(args.config)
    config.merge_from_dict(args.cfg_options)
    if not Path(args.video).exists():
        raise FileNotFoundError(f'{args.video} is missing')
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    with contextlib.redirect_stdout(sys.stderr):  # mmengine says there what it loads
        model = init_dialogue(config, args.branch, device)
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


def main() -> None:
    """Run the tool."""
    args = parse_args()
    warnings.simplefilter('ignore')
    from mmbt.engine.launch import run_tool
    run_tool(lambda: chat(args))


if __name__ == '__main__':
    main()
