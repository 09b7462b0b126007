"""See which frames and patches of a video answer a text, by the branch and by CLIP alone.

    mmbt explain film.mp4 'a man opens a door' --model branch.pth
    mmbt explain film.mp4 'a man opens a door' --start 1:20 --end 1:32 --out pictures/door

Writes OUT.png and OUT.mp4: what each frame and each of its patches adds to the cosine of video and
text, and the branch's gates by layer. Without --start and --end it is the window of the video that
fits the text best, as `mmbt search` finds it.
"""
import argparse
import sys

from .options import add_device, pick_device, stdout_to_stderr

MODEL = 'clip-vit-l-14'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which video and text, by which model."""
    parser.add_argument('video', help='a file')
    parser.add_argument('text', help='what is looked for, in quotes')
    parser.add_argument('--model', metavar='NAME', default=MODEL,
                        help='what mmbt.load takes: a name, a checkpoint or branch file, a folder '
                        f'or hub name of save_pretrained, a config; default: {MODEL}')
    parser.add_argument('--weights', metavar='FILE', help='the checkpoint of a config')
    parser.add_argument('--clip', metavar='FILE', help="CLIP's weights: a file, or open_clip's tag")
    parser.add_argument('--start', type=seconds, metavar='TIME',
                        help='where the moment begins, in seconds or as 1:02:03')
    parser.add_argument('--end', type=seconds, metavar='TIME', help='where it ends')
    parser.add_argument('--method', choices=['gradients', 'occlusion'], default='gradients',
                        help='integrated gradients, or what the score loses where a part is grey, '
                        'which is slow; default: gradients')
    parser.add_argument('--out', metavar='OUT', help='a folder, or what the files are called '
                        "without .png and .mp4; default: the video's name and _explained")
    add_device(parser)


def seconds(text: str) -> float:
    """``'83'``, ``'1:23'`` or ``'0:01:23.5'`` as seconds."""
    parts = text.split(':')
    try:
        numbers = [float(part) for part in parts]
        if len(parts) > 3 or min(numbers) < 0 or not all(map(str.strip, parts)):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no time such as 83, 1:23 or 0:01:23.5') \
            from None
    return sum(number * 60 ** place for place, number in enumerate(reversed(numbers)))


def run(args: argparse.Namespace) -> None:
    """Explain, and write the picture and the film."""
    import mmbt
    from mmbt.apis import explain, save_explanation
    from mmbt.files.atomic import check_place
    from mmbt.files.shown import printable
    from mmbt.search.explain.drawing import told
    from mmbt.search.explain.film import h264_encoder
    from mmbt.search.explain.saving import places_of
    h264_encoder()
    for place in places_of(args.video, args.out):
        check_place(place)
    with stdout_to_stderr():
        model = mmbt.load(args.model, pick_device(args.device), weights=args.weights,
                          clip=args.clip)
        made = explain(model, args.video, args.text, args.start, args.end, args.method, progress)
    for line in told(made):
        print(line)
    for path in save_explanation(made, args.out):
        print(printable(path))


def progress(done: int, total: int) -> None:
    """Say how far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f'{done} of {total} passes', file=sys.stderr, flush=True,
              end='\r' if done < total else '\n')
