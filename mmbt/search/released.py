"""The authors' released files by name: fetched, checked, converted, and kept."""
import difflib
import hashlib
import os
import re
from pathlib import Path

import huggingface_hub
import torch

from mmbt import version
from mmbt.files.hub import hub_is_out_of_reach
from mmbt.files.safe_load import first_line
from mmbt.models.checkpoints.conversion import convert

REPOSITORY = 'farewellthree/BTAdapter-Weight'
PREFIX = 'released-'
SUFFIXES = ('.pth', '.pt', '.bin', '.safetensors')
SHA256 = re.compile(r'[0-9a-f]{64}')  # the hub's name of a large file's content
PACKAGE = Path(version.__file__).parent


def released_checkpoint(name: str) -> Path:
    """A released file as a checkpoint of this project, converted at its first use.

    Args:
        name: ``'released-NAME'``, by the file's name in the repository without its suffix.

    Returns:
        The converted file, below torch's cache (``TORCH_HOME``). It is made anew for each version
        of mmbt, and where the released file changes.

    Raises:
        FileNotFoundError: If the repository cannot be reached and nothing of it is kept.
        ValueError: If it has no such file, or the file is damaged or no model of video and text.
    """
    local = hub_is_out_of_reach()
    file = choose(name, kept_files() if local else published_files())
    try:
        path = Path(huggingface_hub.hf_hub_download(REPOSITORY, file, local_files_only=local))
    except Exception as error:  # by version: a dozen kinds
        raise out_of_reach(error) from error
    content = os.path.realpath(path)
    key = Path(content).name
    known = SHA256.fullmatch(key) is not None
    if not known:
        key = hash_file(path)
    out = cache_folder() / f'{path.stem}-{key[:16]}-{version.__version__}.pth'
    if not out.is_file():
        if known and hash_file(path) != key:
            raise ValueError(f'{content} is not what {REPOSITORY} has ({file}): delete it, and it '
                             'is fetched again')
        convert(path, out, configs_folder())
    return out


def choose(name: str, files: list[str]) -> str:
    """The file of a repository that a name means.

    Raises:
        ValueError: If it means none, with the nearest names.
    """
    named = {PREFIX + Path(file).stem.lower(): file for file in sorted(files)
             if file.endswith(SUFFIXES)}
    if name.lower() in named:
        return named[name.lower()]
    close = difflib.get_close_matches(name.lower(), named, n=3, cutoff=0) or list(named)[:3]
    raise ValueError(f'{REPOSITORY} has no file for {name!r}; it has ' + (', '.join(close) or
                                                                          'no weights'))


def published_files() -> list[str]:
    """The names of the repository's files."""
    try:
        return list(huggingface_hub.HfApi().list_repo_files(REPOSITORY))
    except Exception as error:
        raise out_of_reach(error) from error


def kept_files() -> list[str]:
    """The names of those of its files that were fetched before."""
    try:
        folder = Path(huggingface_hub.snapshot_download(REPOSITORY, local_files_only=True))
    except Exception as error:
        raise out_of_reach(error) from error
    return [path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()]


def out_of_reach(error: Exception) -> FileNotFoundError:
    """What to do without the repository, in one line."""
    return FileNotFoundError(
        f'the released weights of {REPOSITORY} are not in the cache of the Hugging Face hub and '
        f'cannot be fetched ({first_line(error)}): fetch a file on a machine with a network, and '
        'convert it with tools/convert_checkpoint.py')


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def cache_folder() -> Path:
    """Where converted files are kept."""
    return Path(torch.hub.get_dir()) / 'mmbt'


def configs_folder() -> Path:
    """The configs of this project, of a checkout or an installed package."""
    inside = PACKAGE / '.mim' / 'configs'
    return inside if inside.is_dir() else PACKAGE.parent / 'configs'
