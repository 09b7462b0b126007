"""Whether a Hugging Face folder is of this world, before transformers builds a model of it.

Its config.json says how large a model is, and its index which files to open; transformers believes
both. Some settings name code on the hub that transformers would run.
"""
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmbt.files.json_text import read_json
from mmbt.files.safe_load import first_line, in_line

INDEXES = ('model.safetensors.index.json', 'pytorch_model.bin.index.json')
FILE = re.compile(r'[\w][\w.-]*\.(safetensors|bin)')
MOST = dict(vocab_size=4_000_000, num_hidden_layers=512, num_attention_heads=1_024,
            image_size=8_192, patch_size=1_024, num_query_tokens=65_536,
            max_position_embeddings=2**24)
MOST_WIDTH, MOST_COUNT, MOST_NUMBER = 65_536, 65_536, 1e31
MOST_BYTES = 2**24  # of a JSON file
SLACK, SMALL = 8, 2**26  # weights that a config may ask for, by the bytes of its files


def check_config(name: str, settings: Any) -> dict[str, Any]:
    """Refuse settings that are no dict, ask for sizes of no model, or name code to run.

    Args:
        name: The folder, or a model's name on the hub.
        settings: What its config.json holds.

    Returns:
        The settings.

    Raises:
        ValueError: Naming the setting.
    """
    if not isinstance(settings, dict):
        raise ValueError(f'{name}: its config.json holds no settings by name')
    for part in (settings, *_parts(settings)):
        for key, value in part.items():
            if key.endswith('attn_implementation') and not str(value).isidentifier():
                raise ValueError(f'{name}: config.json asks for the code {str(value)[:60]!r}, '
                                 'which is not run')
            counts = key.startswith(('num_', 'n_'))
            most = MOST.get(key, MOST_WIDTH if key.endswith(('_size', '_dim')) else
                            MOST_COUNT if counts else MOST_NUMBER)
            if isinstance(value, (int, float)) and not (0 if counts else -most) <= value <= most:
                raise ValueError(f'{name}: {in_line(key, 40)} of its config.json is '
                                 f'{str(value)[:20]}; {most} is the most that is taken')
    for key in ('vision_config', 'text_config', 'qformer_config'):
        if not isinstance(settings.get(key, {}), dict):
            raise ValueError(f'{name}: {key} of its config.json holds no settings by name')
    return settings


def _parts(settings: Mapping) -> Iterator[Mapping]:
    for value in settings.values():
        if isinstance(value, dict):
            yield value
            yield from _parts(value)


def read_settings(path: Path) -> Any:
    """What a JSON file of a folder holds; see :func:`mmbt.files.json_text.read_json`."""
    return read_json(path, object, 'settings', most=MOST_BYTES)


def check_folder(name: str) -> None:
    """Refuse a local folder whose config or index asks for what is not there.

    Raises:
        ValueError: Its config is of another size than its weights, or its index names files outside
            of it.
    """
    if not os.path.isdir(name):
        return
    folder = Path(name)
    if (folder / 'config.json').is_file():
        settings = check_config(name, read_settings(folder / 'config.json'))
        check_weights_fit(name, settings)
    for index in INDEXES:
        if (folder / index).is_file():
            check_index(name, index, read_settings(folder / index))


def check_index(name: str, file: str, index: Any) -> dict[str, str]:
    """Which file of a folder each weight is in.

    Raises:
        ValueError: The index is none, or names a file that does not lie in the folder.
    """
    found = index.get('weight_map') if isinstance(index, dict) else None
    if not isinstance(found, dict) or not found:
        raise ValueError(f'{name}: {file} has no weight_map')
    for value in found.values():
        if not isinstance(value, str) or not FILE.fullmatch(value):
            raise ValueError(f'{name}: {file} names {in_line(str(value), 60)!r}, which is no file '
                             'of weights in the folder')
    return found


def check_weights_fit(name: str, settings: Mapping) -> None:
    """Refuse a config of far more weights than the files of a local folder hold.

    Raises:
        ValueError: If they are.
    """
    if not os.path.isdir(name):
        return
    held = sum(path.stat().st_size for path in Path(name).iterdir()
               if path.suffix in ('.safetensors', '.bin') and path.is_file())
    asked = sum(map(weights_of, (settings, *_parts(settings))))
    if asked > SLACK * held + SMALL:
        raise ValueError(f'{name}: its config.json is of a model of {asked:.3g} weights, and its '
                         f'files hold {held:,} bytes')


def weights_of(part: Mapping) -> float:
    """About how many weights settings ask for."""
    def size(key: str, default: float = 0) -> float:
        value = part.get(key, default)
        return abs(value) if isinstance(value, (int, float)) else 0
    width = size('hidden_size') or size('d_model')
    layers = size('num_hidden_layers', 1)
    rows = size('vocab_size') + size('max_position_embeddings') + size('num_query_tokens')
    if size('patch_size'):
        rows += (size('image_size') / size('patch_size'))**2
        rows += size('num_channels', 3) * size('patch_size')**2
    return layers * width * (4 * width + 2 * size('intermediate_size')) + rows * width


@contextmanager
def one_line(name: str, what: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Inside, whatever a library raises about a folder becomes one line that names it.

    Args:
        name: The folder.
        what: What cannot be done.
        passing: Errors that are left as they are.

    Raises:
        ValueError: In the place of any other error, of a panic in a library's native code too.
    """
    try:
        yield
    except passing:
        raise
    except Exception as error:
        raise ValueError(f'{name}: {what} ({first_line(error)})') from error
    except BaseException as error:
        if type(error).__name__ != 'PanicException':
            raise
        raise ValueError(f'{name}: {what} (its content stops the library that reads it)') from error
