"""Search, label, compare and talk about the videos of a folder, on a page.

    mmbt app videos/
    mmbt app videos/ --model branch.pth --chat configs/dialogue/dialogue_llava_7b.py branch.pth
    mmbt app --demo

The page is at http://127.0.0.1:7860, and the JSON API of `mmbt serve` is beside it. What is new in
the first folder is indexed at once. Nothing outside the folders is shown, and nothing is fetched
from elsewhere. Without --model it is CLIP, clip-vit-l-14; where no folder is named either and
`make demo` has been run here, it is the demo's model and videos. It needs pip install 'mmbt[app]'.
"""
import argparse
import sys
from pathlib import Path

from .options import add_device, cores, pick_device, stdout_to_stderr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folders, the models, the address."""
    add_shared(parser)
    parser.add_argument('--chat', nargs='+', default=[], metavar=('CONFIG', 'BRANCH'),
                        help='a dialogue config, and a branch file for it')


def add_shared(parser: argparse.ArgumentParser) -> None:
    """What ``mmbt app`` and ``mmbt serve`` take both."""
    parser.add_argument('folders', nargs='*', metavar='FOLDER',
                        help='videos, with those in subfolders; default: this one')
    parser.add_argument('--model', metavar='NAME_OR_PATH',
                        help='as mmbt.load takes it: a name, a checkpoint, a branch file, a '
                        'folder; default: clip-vit-l-14')
    parser.add_argument('--demo', action='store_true', help="the demo's model, and its videos")
    parser.add_argument('--index', metavar='FOLDER',
                        help='where indexes are kept; default: the cache of `mmbt search`')
    parser.add_argument('--no-index', action='store_true', help='index when asked to')
    add_device(parser)
    parser.add_argument('--workers', type=int, default=min(4, cores()),
                        help='processes that read videos to be indexed; default: 4, or as many as '
                        'cores')
    parser.add_argument('--host', default='127.0.0.1',
                        help='the address to listen to; 0.0.0.0 lets other machines in')
    parser.add_argument('--port', type=int, default=7860, help='0 takes one that is free')
    parser.add_argument('--password-file', metavar='FILE',
                        help='its first line is asked of everyone; default: $MMBT_PASSWORD, if set')
    parser.add_argument('--upload-mb', type=int, default=512, help='size of an uploaded video')
    parser.add_argument('--minutes', type=float, default=60.,
                        help='of a video that is read at once, without the index')


def run(args: argparse.Namespace) -> None:
    """Serve the page."""
    serve(args, 'app', args.chat)


def serve(args: argparse.Namespace, name: str, chat: list[str]) -> None:
    """Check what was asked, listen, load, serve.

    Args:
        args: The command line.
        name: 'app' or 'serve'.
        chat: A dialogue config, and a branch file.
    """
    need_extra(name)
    if args.upload_mb < 1 or args.minutes <= 0 or args.workers < 0:
        raise ValueError('--upload-mb must be at least 1, --minutes above 0 and --workers at '
                         'least 0')
    device = pick_device(args.device)
    import tempfile
    with stdout_to_stderr():
        import mmbt  # noqa: F401  registers what configs name
    from mmbt.app import serving, start
    from mmbt.app.folders import Folders
    from mmbt.app.limits import Limits
    from mmbt.app.service import Service
    password = start.read_password(args.password_file)
    choice = start.choose(args.model, args.folders, args.demo)
    folders = Folders(choice.folders)
    bound = serving.listen(args.host, args.port)
    if password is None and not serving.is_loopback(args.host):
        print(f'warning: everyone who reaches {args.host} sees these videos: set a password with '
              '--password-file', file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix='mmbt-app-') as cache:
        with stdout_to_stderr():
            limits = Limits(upload_bytes=args.upload_mb * 2**20, seconds=60 * args.minutes)
            service = Service(start.load_model(choice.model, device), folders, args.index,
                              Path(cache, 'previews'), limits, workers=args.workers)
            chats = start.load_chats(chat, service, device)
        app = serving.build_app(service, chats, name == 'app', password, args.host, cache)
        if not args.no_index:
            service.index()
        try:
            serving.serve(app, bound, lambda url: print(
                f'{service.model_name}\n{url}' + ('' if name == 'app' else '/api/health'),
                flush=True))
        finally:  # what is encoded is in the index before the process ends
            service.indexing.stop()
            service.indexing.wait(60)


def need_extra(name: str) -> None:
    """Raise ValueError where what serves is not installed."""
    from importlib.util import find_spec
    if any(find_spec(module) is None for module in ('gradio', 'fastapi', 'uvicorn')):
        raise ValueError(f"mmbt {name} needs gradio: pip install 'mmbt[app]'")
