"""Commands of the documents' shell blocks: looked up and parsed, not run."""
import ast
import inspect
import re
import shlex

import mmaction.registry
from mim.commands.test import cli as mim_test
from mim.commands.train import cli as mim_train
from mmengine.config import Config, DictAction

from mmbt.cli import COMMANDS
from mmbt.cli.options import cfg_options

from ..support.tools import parse as parse_command
from .blocks import ROOT

MIM = dict(train=mim_train, test=mim_test)
OTHERS = ('find', 'seq', 'srun')  # the system's, which may run one of ours
REGISTRIES = [getattr(mmaction.registry, name)
              for name in ('MODELS', 'DATASETS', 'TRANSFORMS', 'METRICS')]


def commands(text):
    """The commands of a block, word by word, its variables filled in."""
    variables, found = {}, []
    for line in lines_of(text):
        for part in [line] if ' -c ' in line else line.split('&&'):
            for name, value in variables.items():
                part = part.replace(f'${name}', value)
            words = shlex.split(part, comments=True)
            if len(words) == 1 and re.fullmatch(r'[A-Z]+=.*', words[0]):
                name, _, variables[name] = words[0].partition('=')
            elif words:
                found.append(words)
    return found


def lines_of(text):
    """Lines, those that go on joined."""
    lines, line = [], ''
    for each in text.replace('\\\n', ' ').splitlines():
        line += each
        if line.count('"') % 2:  # within quotes
            line += '\n'
        else:
            lines.append(line)
            line = ''
    assert not line, f'open quotes: {line}'
    return lines


def check(words, monkeypatch, home):
    """See that a command is there and takes its arguments.

    Args:
        words: The command.
        monkeypatch: To set ``sys.argv`` and the environment.
        home: The folder that paths begin at.
    """
    while re.fullmatch(r'[A-Z_]+=.*', words[0]):
        name, _, value = words.pop(0).partition('=')
        monkeypatch.setenv(name, value)
    kind = words[0]
    if kind == '--cfg-options':
        raise AssertionError('options of no config: say of which in a comment before the block')
    if kind == 'make':
        targets = re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(), re.M)
        assert all(word in targets or re.match('[A-Z]+=', word) for word in words[1:]), words
    elif kind == 'pip':
        extras = re.findall(r"^        '(\w+)': \[", (ROOT / 'setup.py').read_text(), re.M)
        assert words[1] == 'install'
        assert set(re.findall(r'\[(\w+)\]', words[-1])) <= set(extras), words
    elif kind in ('source', 'export'):
        assert len(words) == 2
    elif kind == 'mim':
        check_mim(words, home)
    elif kind == 'curl':  # tests/app runs them
        assert any(word.startswith('http://127.0.0.1:7860/api/') for word in words), words
    elif kind == 'python' and words[1] == '-c':
        check_imports(words[2])
    elif kind == 'mmbt':
        check_command(words[1], words[2:], home)
    elif kind in OTHERS:
        if 'mmbt' in words:
            check(words[words.index('mmbt'):], monkeypatch, home)
    else:
        raise AssertionError(f'{kind}: a command that this test does not know')


def check_mim(words, home):
    """``mim train`` and ``mim test``: mim's own flags, then those of our tool of that name."""
    _, command, *arguments = words
    assert arguments[0] == 'mmbt'
    given = MIM[command].make_context(command, list(arguments)).params
    checkpoint = [given['checkpoint']] if given.get('checkpoint') else []
    check_command(command, [given['config'], *checkpoint, *given['other_args']], home)


def check_command(name, arguments, home):
    """A sub-command of ``mmbt`` takes the arguments; its configs and their options are there."""
    assert name in COMMANDS, f'mmbt has no command {name}'
    try:
        args = parse_command(name, *arguments)
    except SystemExit as end:
        raise AssertionError(f'mmbt {name} does not take {arguments}') from end
    config = getattr(args, 'config', None)
    for name in config if isinstance(config, list) else [config]:
        if name is not None and not name.startswith('OUT'):
            check_options(load(name, home), cfg_options(getattr(args, 'cfg_options', [])))


def load(name, home):
    """A config of the project, or one that a document writes."""
    path = home / name
    assert path.is_file(), f'{name}: no such config'
    return Config.fromfile(path)


def options(words):
    """The options of ``--cfg-options``."""
    assert words[0] == '--cfg-options'
    return dict(parse(word) for word in words[1:])


def parse(word):
    key, _, value = word.partition('=')
    return key, DictAction._parse_iterable(value)


def check_options(config, given):
    """Each option's place is in the config, and what stands there knows it."""
    for key in given:
        *parents, last = key.split('.')
        place = config
        for name in parents:
            place = place[int(name)] if isinstance(place, (list, tuple)) else place.get(name)
            assert place is not None, f'{key}: no {name} in {config.filename}'
        kind = place.get('type') if parents else None
        if kind is not None and last not in place:
            assert last in arguments_of(kind), f'{key}: {kind} takes no {last}'


def arguments_of(kind):
    """The arguments of a registered class and of those that it hands others to."""
    found = next(filter(None, (registry.get(kind) for registry in REGISTRIES)))
    return {name for each in found.__mro__ if '__init__' in vars(each)
            for name in inspect.signature(each).parameters}


def check_imports(code):
    """A program of one line is Python, and what it imports is there."""
    for node in ast.parse(code).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            exec(compile(ast.Module([node], []), 'docs', 'exec'), {})
