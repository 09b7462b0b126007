"""What a row's numbers depend on beside its configs: the package's code and some libraries."""
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmbt.files.sources import digest

PACKAGE = Path(__file__).resolve().parents[2]

# Folders and files that no training and no test of a row runs through. All others count, new ones
# too: a digest that changes too often costs time, one that changes too seldom tells a lie.
IDLE = (
    'version.py', '__main__.py',
    'apis.py', 'app', 'cli', 'conversation', 'search',
    'datasets/preparation', 'engine/training_picture.py',
    'lab/benchmark', 'lab/demo', 'lab/forks.py',
    'lab/ablation/pictures.py', 'lab/ablation/report.py', 'lab/ablation/run.py',
    'lab/ablation/schedule.py',
    'lab/ablation/summary.py', 'lab/ablation/tables.py',
    'models/checkpoints/conversion', 'models/checkpoints/model_hash.py', 'models/init_model.py',
)
# Where two names stand for one library, whichever is installed.
LIBRARIES = (
    'torch', 'torchvision', 'numpy', 'mmengine', 'mmaction2', 'mmcv', 'mmcv-lite',
    'open_clip_torch', 'timm', 'av', 'decord', 'opencv-python', 'opencv-python-headless',
    'opencv-contrib-python', 'opencv-contrib-python-headless',
)


def source_files(package: Path = PACKAGE) -> list[Path]:
    """The files of the package that a row may run through."""
    idle = [package / name for name in IDLE]
    return [path for path in sorted(package.rglob('*.py'))
            if not any(path == each or each in path.parents for each in idle)
            and '.mim' not in path.relative_to(package).parts]


@cache
def made_by(package: Path = PACKAGE) -> dict:
    """``sources``, a digest of the code, and ``libraries``, their versions; not to be changed.

    Read once in a process, as the code is.
    """
    return dict(sources=digest(source_files(package), package), libraries=libraries())


def libraries() -> dict[str, str]:
    """Versions of the libraries that numbers depend on, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found
