"""Where the configs and tools are that come with the package."""
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """The folder of this name: a checkout's, else where an installation keeps it for mim.

    Args:
        name: ``'configs'`` or ``'tools'``.
    """
    places = (PACKAGE.parent / name, PACKAGE / '.mim' / name)
    marks = dict(configs='pretrain_webvid.py', tools='mmbt')
    return next((place for place in places if (place / marks[name]).is_file()), places[0])
