"""A row's configs: its difference over the training and over each test of a world."""
import contextlib
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

from mmengine.config import Config

from .sources import made_by
from .worlds import World

PACKAGE = Path(__file__).resolve().parents[2]
# In a checkout, else where an installation keeps them for mim.
ROWS = next((folder for folder in (PACKAGE.parent / 'configs/ablations',
                                   PACKAGE / '.mim/configs/ablations') if folder.is_dir()),
            PACKAGE.parent / 'configs/ablations')
BASE = 'MMBT_BASE'


@contextlib.contextmanager
def base_of(name: str) -> Iterator[None]:
    """Let the rows' configs be over another base than pretrain_webvid."""
    former = os.environ.get(BASE)
    os.environ[BASE] = name
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # MMEngine prints each variable it reads
            yield
    finally:
        os.environ.pop(BASE)
        if former is not None:
            os.environ[BASE] = former


def load_row(row: str, world: World, test: Optional[str] = None,
             folder: Optional[Path] = None) -> Config:
    """A row's config over a world.

    Args:
        row: Name in configs/ablations/.
        world: The world.
        test: One of its tests; None for the training.
        folder: Folder of the seed, for a world that has one for each; None for what the configs
            name.

    Raises:
        FileNotFoundError: If there is no such row.
    """
    with base_of(world.train if test is None else world.tests[test]):
        config = Config.fromfile(ROWS / f'{row}.py')
    if world.prepare is not None and folder is not None:
        config = Config(moved(config.to_dict(), f'{world.folder}/seed0', str(folder)))
    return config


def check_data(world: World) -> None:
    """See that what a world is trained and tested on is there, before any weights are fetched.

    Raises:
        FileNotFoundError: If an annotation file is missing.
    """
    for test in (None, *world.tests):
        config = load_row('table7_both', world, test)
        dataset = (config.train_dataloader if test is None else config.test_dataloader).dataset
        path = Path(dataset.data_root) / dataset.ann_file
        if not path.exists():
            name = world.train if test is None else world.tests[test]
            raise FileNotFoundError(f'{path} is missing; the head of configs/{name}.py says what '
                                    'belongs there')


def moved(value: Any, old: str, new: str) -> Any:
    """The same with every path under one folder under another."""
    if isinstance(value, dict):
        return {key: moved(item, old, new) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(moved(item, old, new) for item in value)
    if isinstance(value, str) and (value == old or value.startswith(f'{old}/')):
        return new + value[len(old):]
    return value


def trains(config: Config) -> bool:
    """Whether a row trains anything."""
    return bool(config.model.heads)


def fingerprint(row: str, world: World) -> str:
    """Equal for rows that are the same over a world, whatever they are called.

    It changes with the row's configs, with the code and the libraries that they run through, and
    with what is prepared for the row.
    """
    configs = [load_row(row, world, test) for test in (None, *world.tests)]
    return mark(*(without_folder(config) for config in configs), data_fingerprint(world))


def data_fingerprint(world: World) -> str:
    """It changes with what a world's data and CLIP are made by; the same for worlds that share."""
    return mark(*(without_folder(load_row(f'../{name}', world)) for name in world.prepared))


def without_folder(config: Config) -> Dict:
    """A config without the folder that it writes to."""
    return {key: value for key, value in config.to_dict().items() if key != 'work_dir'}


def mark(*contents: Any) -> str:
    """A few hex digits that change with the contents and with the sources."""
    text = json.dumps([made_by(), *contents], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
