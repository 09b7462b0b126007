"""A row's configs: its difference over the training and over each test of a world."""
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmbt.files.atomic import whole_file
from mmbt.files.shipped import shipped

from .sources import made_by
from .worlds import World

CONFIGS = shipped('configs')
ROWS = CONFIGS / 'ablations'
OWN_BASES = ('pretrain_webvid.py', 'zeroshot_msrvtt.py')
"""What the rows' files inherit; the second by rows that train nothing."""


def row_over(row: str, base: str) -> Config:
    """A row's config over another base than the one that its file names.

    The row's files are read beside stand-ins of their own bases, which inherit ``base`` and add
    nothing. The config says what it is, in ``ablation`` and in its file's name.

    Args:
        row: Name in configs/ablations/.
        base: A config file, or a name in configs/.

    Raises:
        FileNotFoundError: If there is no such row or base.
        ValueError: If the base lacks what the row changes.
    """
    below = find_base(base)
    if not (ROWS / f'{row}.py').is_file():
        raise FileNotFoundError(f'{ROWS} has no {row}.py')
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, ROWS.name)
        rows.mkdir()
        for path in ROWS.glob('*.py'):
            (rows / path.name).symlink_to(path)
        for name in OWN_BASES:
            Path(folder, name).write_text(f'_base_ = [{str(below)!r}]\n')
        try:
            config = Config.fromfile(rows / f'{row}.py')
        except AttributeError as error:
            raise ValueError(f'{row} changes what {below} has not ({error}); take a config such as '
                             f"{' or '.join(OWN_BASES)} as its base") from None
    config.ablation = dict(row=row, base=base)
    return named(config.to_dict(), f'{row}_over_{below.name}')


def find_base(name: str) -> Path:
    """The config file that a name means.

    Raises:
        FileNotFoundError: If there is none.
    """
    for path in (Path(name), CONFIGS / f'{name}.py'):
        if path.is_file():
            return path.absolute()
    raise FileNotFoundError(f'{name} is no config file, and {CONFIGS} has no {name}.py')


def named(content: dict, name: str) -> Config:
    """A config as of a file of this name, which a training's work folder then has."""
    return Config(content, cfg_text='# made, not read', filename=name)


def write_row(row: str, base: str, folder: Path) -> Path:
    """Write a row's config over a base, for ``mim train`` and ``mim test``; return its path."""
    config = row_over(row, base)
    path = folder / config.filename
    with whole_file(path) as draft:
        draft.write_text(f'# {row} over {base}\n{config.pretty_text}', encoding='utf-8')
    return path


def load_row(row: str, world: World, test: str | None = None,
             folder: Path | None = None) -> Config:
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
    return in_seed(row_over(row, world.train if test is None else world.tests[test]), world, folder)


def load_prepared(name: str, world: World, folder: Path | None = None) -> Config:
    """The config of what is prepared for a world's rows; arguments as in :func:`load_row`."""
    return in_seed(Config.fromfile(find_base(name)), world, folder)


def in_seed(config: Config, world: World, folder: Path | None) -> Config:
    """The same with a seed's folder in the place of the first seed's."""
    if not world.prepared or folder is None:
        return config
    content = moved(config.to_dict(), f'{world.folder}/seed0', str(folder))
    return named(content, Path(config.filename).name)


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
    return mark(*(without_names(config) for config in configs), data_fingerprint(world))


def data_fingerprint(world: World) -> str:
    """It changes with what a world's data and CLIP are made by; the same for worlds that share."""
    return mark(*(without_names(load_prepared(name, world)) for name in world.prepared))


def without_names(config: Config) -> dict:
    """A config without the folder that it writes to and the row that it is called."""
    return {key: value for key, value in config.to_dict().items()
            if key not in ('work_dir', 'ablation')}


def mark(*contents: Any) -> str:
    """A few hex digits that change with the contents and with the sources."""
    text = json.dumps([made_by(), *contents], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
