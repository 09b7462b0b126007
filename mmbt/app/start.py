"""What ``mmbt app`` and ``mmbt serve`` begin with: a model, folders, a password."""
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mmbt
from mmbt.conversation.chat import init_dialogue
from mmbt.files.shown import printable
from mmbt.search.loaded import LoadedModel

from .chats import Chats
from .service import Service

CLIP = 'clip-vit-l-14'
DEMO = Path('work_dirs/demo')
DEMO_MODEL = DEMO / 'branch/epoch_20.pth'
DEMO_VIDEOS = DEMO / 'world/videos'
PASSWORD = 'MMBT_PASSWORD'
MOST_PASSWORD = 1000  # characters


class Choice(NamedTuple):
    """What is loaded, and which folders are opened."""

    model: str
    folders: list[str]


def choose(model: str | None, folders: Sequence[str], demo: bool) -> Choice:
    """The model and the folders that a command line means.

    The demo's model knows the demo's world alone: it is taken where it is asked for, or where
    nothing else is named and ``make demo`` has been run here.

    Raises:
        FileNotFoundError: If the demo is asked for and has not been run here.
        ValueError: If the demo and a model are asked for.
    """
    if demo and model is not None:
        raise ValueError('--demo is a model of its own: leave --model out')
    is_there = DEMO_MODEL.is_file() and DEMO_VIDEOS.is_dir()
    if demo and not is_there:
        raise FileNotFoundError(f'{DEMO_MODEL} is missing: run `make demo` here, or leave --demo '
                                'out')
    if demo or (is_there and model is None and not folders):
        return Choice(str(DEMO_MODEL), list(folders) or [str(DEMO_VIDEOS)])
    return Choice(model or CLIP, list(folders) or [os.curdir])


def load_model(name: str, device: str) -> LoadedModel:
    """The model, as :func:`mmbt.load` has it; where it cannot be fetched, the line tells of others.

    Raises:
        FileNotFoundError: If a file is missing, or is to be fetched and cannot be.
        ValueError: If the name is unknown.
    """
    try:
        model = mmbt.load(name, device)
        if name == str(DEMO_MODEL):
            model.name = "the demo's model"
        return model
    except FileNotFoundError as error:
        if name != CLIP:
            raise
        others = '--demo' if DEMO_MODEL.is_file() else '`make demo`, then --demo'
        raise FileNotFoundError(f'{str(error).rstrip(".")}; without a download: {others}, or '
                                '--model with a checkpoint of your own') from error


def load_chats(words: Sequence[str], service: Service, device: str) -> Chats | None:
    """Conversations by the dialogue model of a config, with its branch; None of no words.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If there are more than two words, or the config is no dialogue model's.
    """
    if not words:
        return None
    config, *branches = words
    if len(branches) > 1:
        raise ValueError('--chat takes a dialogue config and a branch file, got '
                         f'{len(words)} words')
    model = init_dialogue(config, branches[0] if branches else None, device)
    branch = f' with {printable(os.path.basename(branches[0]))}' if branches else ''
    return Chats(model, service, f'{printable(os.path.basename(config))}{branch}')


def read_password(file: str | None) -> str | None:
    """The password of a file's first line, else that of ``MMBT_PASSWORD``; None without either.

    It is no option, since every user of a machine sees the command lines of all.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the password is empty or too long.
    """
    if file is None:
        password, where = os.environ.get(PASSWORD), PASSWORD
        if password is None:
            return None
    else:
        with open(file, encoding='utf-8') as lines:
            password, where = lines.readline(MOST_PASSWORD + 2), f'--password-file {file}'
    password = password.strip()
    if not 0 < len(password) <= MOST_PASSWORD:
        raise ValueError(f'{where}: a password has 1 to {MOST_PASSWORD} characters, got '
                         f'{len(password)}')
    return password
